-- Detaching and dropping old weekly partitions.

-- List the weekly partitions that may be detached: of queues whose policy says detach_mode empty, older
-- than detach_min_age, without a row. Checkpoints of a week stay while the week has tasks, waits while it
-- has runs: those may still write them.
--
-- Locks: none.
-- Returns one row per partition, names without schema and quotes.
-- Raises P0001 when a queue is named that is invalid or unknown.
create or replace function absurd.list_detach_candidates(p_queue_name text default null)
  returns table (queue_name text, parent_table text, partition_table text)
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_candidate record;
begin
  perform absurd.check_named_queue(p_queue_name);

  for v_candidate in
    select p.queue_name, p.parent_table, p.partition_table, p.owner_table
      from absurd.queues q
      cross join lateral absurd.weekly_partitions(q.queue_name) p
     where q.storage_mode = 'partitioned'
       and q.detach_mode = 'empty'
       and (p_queue_name is null or q.queue_name = p_queue_name)
       and absurd.uuidv7_timestamp(p.upper_bound) < absurd.current_time() - q.detach_min_age
     order by p.queue_name, p.upper_bound, p.partition_table
  loop
    if absurd.is_empty_table(v_candidate.partition_table)
      and absurd.is_empty_table(v_candidate.owner_table)
    then
      queue_name := v_candidate.queue_name;
      parent_table := v_candidate.parent_table;
      partition_table := v_candidate.partition_table;
      return next;
    end if;
  end loop;
end;
$$;

-- List the attached weekly partitions of a queue.
--
-- Locks: none.
-- Returns one row each; owner_table is the partition of the same week whose rows write here: tasks for
-- checkpoints, runs for waits, and the partition itself otherwise.
create or replace function absurd.weekly_partitions(p_queue_name text)
  returns table (
    queue_name text,
    parent_table text,
    partition_table text,
    owner_table text,
    upper_bound uuid
  )
  language sql
as $$
  select p_queue_name,
         p.relname::text,
         c.relname::text,
         case left(p.relname, 1) when 'c' then 't' when 'w' then 'r' else left(p.relname, 1) end
           || substr(c.relname, 2),
         substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid) from $r$TO \('([0-9a-f-]{36})'\)$r$)::uuid
    from unnest(array['t', 'r', 'c', 'w']) as prefix
    join pg_catalog.pg_class p
      on p.relname = prefix || '_' || p_queue_name
     and p.relnamespace = 'absurd'::regnamespace
    join pg_catalog.pg_inherits i on i.inhparent = p.oid
    join pg_catalog.pg_class c
      on c.oid = i.inhrelid
     and c.relkind = 'r'
     and pg_catalog.pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT';
$$;

-- Tell whether a table of the schema has no row; a table that is missing has none.
--
-- Locks: the table (access share), so that it cannot be dropped meanwhile.
create or replace function absurd.is_empty_table(p_table text)
  returns boolean
  language plpgsql
as $$
declare
  v_has_rows boolean;
begin
  if to_regclass(format('absurd.%I', p_table)) is null then
    return true;
  end if;

  execute format('select exists (select from absurd.%I)', p_table) into v_has_rows;
  return not v_has_rows;
end;
$$;

-- Drop a weekly partition after it was detached, and remove the pg_cron jobs that did both.
--
-- Only what can have been a weekly partition is dropped: a plain table of that name and shape which is not
-- the table of a queue, and only while it is empty. If rows came between planning and detaching it is attached
-- again with a warning, since until then they are missing from the queue; it is planned anew when it is
-- empty again. While the job that detaches is scheduled, it alone is removed and attaching left to the next
-- call: both run at the same time, and what is attached now that job could detach at once.
--
-- Locks: that of lock_queue; the table exclusively; those of ensure_week.
-- Returns true when it was dropped; false when it is still attached, has rows or is missing. The jobs are
-- removed when there is nothing left for them to do.
-- Raises P0001 for a blank name, for a table that is no detached weekly partition, and for one with rows of
-- another week than its name says; those of ensure_week.
create or replace function absurd.drop_detached_partition(
  p_partition_table text,
  p_unschedule_job_name text default null
)
  returns boolean
  language plpgsql
as $$
declare
  v_table text := btrim(p_partition_table);
  v_jobs text[] := array[
    regexp_replace(p_unschedule_job_name, '^absurd_drop_run_', 'absurd_detach_run_'),
    p_unschedule_job_name];
begin
  if v_table is null or v_table = '' then
    raise exception 'partition name must not be blank';
  end if;

  perform absurd.lock_queue(substr(left(v_table, -4), 3));

  if exists (
    select from pg_catalog.pg_class c
     where c.relname = v_table
       and c.relnamespace = 'absurd'::regnamespace
       and c.relispartition
  ) then
    return false;
  end if;

  if to_regclass(format('absurd.%I', v_table)) is null then
    perform absurd.unschedule_jobs(v_jobs);
    return false;
  end if;

  perform absurd.check_detached_partition(v_table);
  execute format('lock table absurd.%I in access exclusive mode', v_table);

  if absurd.is_empty_table(v_table) then
    perform absurd.unschedule_jobs(v_jobs);
    execute format('drop table absurd.%I', v_table);
    return true;
  end if;

  if v_jobs[1] <> v_jobs[2] and absurd.is_scheduled(v_jobs[1]) then
    perform absurd.unschedule_jobs(v_jobs[1:1]);
  else
    perform absurd.unschedule_jobs(v_jobs);
    perform absurd.reattach_partition(v_table);
  end if;
  return false;
end;
$$;

-- Check that a table that is attached to nothing can have been a weekly partition.
--
-- Locks: none.
-- Raises P0001 when its name, kind or first column is another, or when it is the table of a queue.
create or replace function absurd.check_detached_partition(p_table text)
  returns void
  language plpgsql
as $$
declare
  v_kind "char";
  v_column name;
begin
  select c.relkind, a.attname
    into v_kind, v_column
    from pg_catalog.pg_class c
    left join pg_catalog.pg_attribute a
      on a.attrelid = c.oid
     and a.attname = absurd.partition_key(p_table)
     and a.atttypid = 'uuid'::regtype
   where c.relname = p_table
     and c.relnamespace = 'absurd'::regnamespace;

  if v_kind <> 'r'
    or v_column is null
    or p_table !~ '^[trcw]_.+_[0-9]{3}$'
    or exists (select from absurd.queues q where q.queue_name = substr(p_table, 3))
  then
    raise exception 'absurd.% is not a detached weekly partition', quote_ident(p_table);
  end if;
end;
$$;

-- Attach a detached weekly partition again, for the week that its rows tell.
--
-- Locks: the table (access share); those of ensure_week.
-- Warns that it did so. When the queue is gone, it warns that the table is kept as it is.
-- Raises P0001 when the rows are of another week than the table's name says; those of ensure_week.
create or replace function absurd.reattach_partition(p_table text)
  returns void
  language plpgsql
as $$
declare
  v_parent text := left(p_table, -4);
  v_id uuid;
  v_week timestamptz;
begin
  if to_regclass(format('absurd.%I', v_parent)) is null then
    raise warning 'absurd.% has rows and is kept, but the table that it was detached from is gone',
      quote_ident(p_table);
    return;
  end if;

  execute format('select x.%1$I from absurd.%2$I x limit 1', absurd.partition_key(p_table), p_table)
    into v_id;
  v_week := absurd.week_bucket_utc(absurd.uuidv7_timestamp(v_id));

  if v_parent || '_' || absurd.partition_week_tag(v_week) is distinct from p_table then
    raise exception 'absurd.% has rows of another week than its name says, such as %',
      quote_ident(p_table), v_id;
  end if;

  perform absurd.ensure_week(v_parent, v_week);
  raise warning 'absurd.% got rows before it was detached and was attached again', quote_ident(p_table);
end;
$$;
