-- Maintenance by pg_cron, where it is installed. Of pg_cron only cron.job (jobid, jobname, schedule,
-- command), cron.schedule(text, text, text) and cron.unschedule(bigint) are used.

-- Tell whether jobs can be found and removed.
--
-- Locks: none.
create or replace function absurd.cron_can_unschedule()
  returns boolean
  language sql
as $$
  select to_regclass('cron.job') is not null
     and to_regprocedure('cron.unschedule(bigint)') is not null;
$$;

-- Check that pg_cron is there.
--
-- Locks: none.
-- Raises P0001 when it is not.
create or replace function absurd.require_cron()
  returns void
  language plpgsql
as $$
begin
  if not absurd.cron_can_unschedule() or to_regprocedure('cron.schedule(text, text, text)') is null then
    raise exception 'pg_cron is not installed in this database'
      using hint = 'It needs shared_preload_libraries = pg_cron and "create extension pg_cron".';
  end if;
end;
$$;

-- Name the part of job names that stands for a queue, or for all of them.
--
-- Locks: none.
create or replace function absurd.cron_scope(p_queue_name text)
  returns text
  language sql
  immutable
as $$
  select coalesce(left(md5(p_queue_name), 12), 'all');
$$;

-- Tell whether there is a job of this name; without pg_cron there is none.
--
-- Locks: none.
create or replace function absurd.is_scheduled(p_name text)
  returns boolean
  language plpgsql
as $$
declare
  v_found boolean := false;
begin
  if absurd.cron_can_unschedule() then
    execute 'select exists (select from cron.job j where j.jobname = $1)'
      into v_found
      using p_name;
  end if;

  return v_found;
end;
$$;

-- Remove jobs by name; without pg_cron there are none.
--
-- Locks: none.
create or replace function absurd.unschedule_jobs(p_names text[])
  returns void
  language plpgsql
as $$
begin
  if absurd.cron_can_unschedule() then
    execute 'select cron.unschedule(j.jobid) from cron.job j where j.jobname = any ($1)'
      using p_names;
  end if;
end;
$$;

-- Remove the jobs of a queue, or of the scope of all queues (NULL): the three of enable_cron and those that
-- detach and drop partitions.
--
-- Locks: none.
-- Returns one row per job removed, by name and id.
create or replace function absurd.unschedule_queue_jobs(p_queue_name text)
  returns table (job_name text, job_id bigint)
  language plpgsql
as $$
declare
  v_scope text := absurd.cron_scope(p_queue_name);
begin
  return query execute $q$
    with job as materialized (
      select j.jobname::text as jobname, j.jobid
        from cron.job j
       where j.jobname in ('absurd_partitions_' || $1, 'absurd_cleanup_' || $1, 'absurd_detach_plan_' || $1)
          or starts_with(j.jobname, 'absurd_detach_run_' || $1 || '_')
          or starts_with(j.jobname, 'absurd_drop_run_' || $1 || '_')
    ), removed as materialized (
      select x.jobname, x.jobid, cron.unschedule(x.jobid)
        from job x
    )
    select x.jobname, x.jobid
      from removed x
     order by x.jobname, x.jobid
    $q$
    using v_scope;
end;
$$;

-- Schedule the maintenance of a queue, or of all: provisioning partitions, cleanup, and planning which
-- partitions to detach. Jobs of the same names are replaced.
--
-- Locks: none.
-- Returns the three jobs.
-- Raises P0001 when a queue is named that is invalid or unknown, for a blank schedule, and when pg_cron is
-- missing.
create or replace function absurd.enable_cron(
  p_queue_name text default null,
  p_partition_schedule text default '5 * * * *',
  p_cleanup_schedule text default '17 * * * *',
  p_detach_schedule text default '29 * * * *'
)
  returns table (job_name text, job_id bigint)
  language plpgsql
as $$
declare
  v_job record;
  v_argument text := coalesce(quote_literal(p_queue_name), 'null::text');
begin
  perform absurd.check_named_queue(p_queue_name);

  if exists (
    select from unnest(array[p_partition_schedule, p_cleanup_schedule, p_detach_schedule]) as s
     where s is null or btrim(s) = ''
  ) then
    raise exception 'cron schedules must not be blank';
  end if;

  perform absurd.require_cron();

  for v_job in
    select 'absurd_' || j.kind || '_' || absurd.cron_scope(p_queue_name) as name, j.schedule, j.command
      from (values
        (1, 'partitions', p_partition_schedule, 'select absurd.ensure_partitions(%s)'),
        (2, 'cleanup', p_cleanup_schedule, 'select * from absurd.cleanup_all_queues(%s)'),
        (3, 'detach_plan', p_detach_schedule, 'select * from absurd.schedule_detach_jobs(%s)')
      ) as j (position, kind, schedule, command)
     order by j.position
  loop
    perform absurd.unschedule_jobs(array[v_job.name]);
    job_name := v_job.name;
    execute 'select cron.schedule($1, $2, $3)'
      into job_id
      using v_job.name, v_job.schedule, format(v_job.command, v_argument);
    return next;
  end loop;
end;
$$;

-- Remove the jobs of a queue, or of the scope of all queues: the jobs of single queues then stay. The
-- queue need not exist any more.
--
-- Locks: none.
-- Returns one row per job removed, by name and id.
-- Raises P0001 for an invalid queue name and when pg_cron is missing.
create or replace function absurd.disable_cron(p_queue_name text default null)
  returns table (job_name text, job_id bigint)
  language plpgsql
as $$
begin
  if p_queue_name is not null then
    perform absurd.validate_queue_name(p_queue_name);
  end if;

  perform absurd.require_cron();

  return query select * from absurd.unschedule_queue_jobs(p_queue_name);
end;
$$;
