-- pg_cron jobs that detach and drop partitions.
--
-- A detached partition takes two jobs: "alter table ... detach partition concurrently" must be the only
-- statement of its transaction, and the table can be dropped only after it has ended.

-- Schedule the detaching and dropping of the oldest candidate of each parent table that has no such job
-- yet. The jobs run every minute until the drop job, having succeeded, removes both.
--
-- Locks: none.
-- Returns one row per job created.
-- Raises P0001 when pg_cron is missing or when a queue is named that is invalid or unknown.
create or replace function absurd.schedule_detach_jobs(p_queue_name text default null)
  returns table (job_name text, job_id bigint, queue_name text, partition_table text, job_kind text)
  language plpgsql
as $$
declare
  v_scope text;
  v_candidate record;
  v_names text[];
begin
  perform absurd.check_named_queue(p_queue_name);
  perform absurd.require_cron();
  v_scope := absurd.cron_scope(p_queue_name);

  -- The list comes in the order of bounds, so the first of each parent is its oldest.
  for v_candidate in
    select distinct on (c.parent_table) c.*
      from absurd.list_detach_candidates(p_queue_name) with ordinality
             as c (queue_name, parent_table, partition_table, position)
     order by c.parent_table, c.position
  loop
    continue when absurd.has_detach_job(v_candidate.parent_table);

    v_names := array(
      select format('absurd_%s_run_%s_%s_%s', kind, v_scope, left(md5(v_candidate.parent_table), 8),
               left(md5(v_candidate.parent_table || ':' || v_candidate.partition_table), 12))
        from unnest(array['detach', 'drop']) with ordinality as k (kind, position)
       order by k.position);
    queue_name := v_candidate.queue_name;
    partition_table := v_candidate.partition_table;

    job_name := v_names[1];
    job_kind := 'detach';
    execute 'select cron.schedule($1, $2, $3)'
      into job_id
      using job_name, '* * * * *',
        absurd.detach_statement(v_candidate.parent_table, v_candidate.partition_table);
    return next;

    job_name := v_names[2];
    job_kind := 'drop';
    execute 'select cron.schedule($1, $2, $3)'
      into job_id
      using job_name, '* * * * *',
        format('select absurd.drop_detached_partition(%L, %L)', v_candidate.partition_table, v_names[2]);
    return next;
  end loop;
end;
$$;

-- Tell whether a parent table has a detach or drop job, of any scope.
--
-- Locks: none.
create or replace function absurd.has_detach_job(p_parent text)
  returns boolean
  language plpgsql
as $$
declare
  v_found boolean;
begin
  execute $q$
    select exists (
      select from cron.job j
       where j.jobname ~ ('^absurd_(detach|drop)_run_(all|[0-9a-f]{12})_' || $1 || '_'))
    $q$
    into v_found
    using left(md5(p_parent), 8);

  return v_found;
end;
$$;

-- Write the statement that detaches a partition: concurrently, unless a default partition forbids it.
--
-- Locks: none.
-- Returns the statement.
create or replace function absurd.detach_statement(p_parent text, p_partition text)
  returns text
  language sql
as $$
  select format('alter table absurd.%I detach partition absurd.%I', p_parent, p_partition)
    || case when p.partdefid = 0 then ' concurrently' else '' end
    from pg_catalog.pg_partitioned_table p
   where p.partrelid = format('absurd.%I', p_parent)::regclass;
$$;
