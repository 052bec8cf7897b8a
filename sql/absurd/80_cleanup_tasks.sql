-- Deleting tasks that have ended.

-- Delete tasks that completed, failed or were cancelled more than p_ttl_seconds ago, with all that belongs
-- to them, oldest end first, at most p_limit (NULL: all).
--
-- Candidates come from the indexes of ends in their order, so the tasks that stay are not read; the
-- settings keep the planner to that. A failed task may be retried at any moment: its row is locked and
-- its state and last run are looked at again before anything is deleted.
--
-- Locks: the runs of the candidates in run_id order, then the tasks; locked ones are skipped with their
-- task, so nothing waits. Then waits, checkpoints and registry rows.
-- Returns the number of tasks deleted.
-- Raises P0001 for a NULL or negative TTL; 2201W for a negative limit.
create or replace function absurd.cleanup_tasks(
  p_queue_name text,
  p_ttl_seconds integer,
  p_limit integer default 1000
)
  returns integer
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set enable_sort = off
  set max_parallel_workers_per_gather = 0
  set jit = off
as $$
declare
  v_before timestamptz;
  v_partitioned boolean := coalesce(
    (select q.storage_mode = 'partitioned' from absurd.queues q where q.queue_name = p_queue_name),
    false);
  v_tasks uuid[];
  v_last_runs uuid[];
  v_prefix text;
begin
  perform absurd.check_ttl(p_queue_name, p_ttl_seconds);
  v_before := absurd.current_time() - make_interval(secs => p_ttl_seconds);

  execute format($q$
    with ended as (
      (select t.task_id, t.last_attempt_run, coalesce(r.completed_at, r.failed_at) as ended_at
         from absurd.%1$I r
         join absurd.%2$I t on t.task_id = r.task_id
        where r.state = 'completed'
          and coalesce(r.completed_at, r.failed_at) < $1
          and t.state = 'completed'
          and t.last_attempt_run = r.run_id
        order by coalesce(r.completed_at, r.failed_at)
        limit $2)
      union all
      (select t.task_id, t.last_attempt_run, coalesce(r.completed_at, r.failed_at)
         from absurd.%1$I r
         join absurd.%2$I t on t.task_id = r.task_id
        where r.state = 'failed'
          and coalesce(r.completed_at, r.failed_at) < $1
          and t.state = 'failed'
          and t.last_attempt_run = r.run_id
        order by coalesce(r.completed_at, r.failed_at)
        limit $2)
      union all
      (select t.task_id, t.last_attempt_run, t.cancelled_at
         from absurd.%2$I t
        where t.cancelled_at < $1
          and t.state = 'cancelled'
        order by t.cancelled_at
        limit $2)
    ), oldest as materialized (
      select x.task_id, x.last_attempt_run
        from ended x
       order by x.ended_at
       limit $2
    )
    select array_agg(o.task_id), array_agg(o.last_attempt_run) from oldest o
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_tasks, v_last_runs
    using v_before, p_limit;

  v_tasks := absurd.lock_ended_tasks(p_queue_name, v_tasks, v_last_runs);

  foreach v_prefix in array array['w', 'c', 'r', 't'] || case when v_partitioned then array['i'] end loop
    execute format('delete from absurd.%I x where x.task_id = any ($1)', v_prefix || '_' || p_queue_name)
      using v_tasks;
  end loop;

  return cardinality(v_tasks);
end;
$$;

-- Lock tasks that are about to be deleted, with their runs.
--
-- Locks: the runs in run_id order, then the tasks; whatever is locked elsewhere is skipped.
-- Returns the tasks that are wholly locked and still ended with the run they were found with.
create or replace function absurd.lock_ended_tasks(
  p_queue_name text,
  p_tasks uuid[],
  p_last_runs uuid[]
)
  returns uuid[]
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set jit = off
as $$
declare
  v_runs uuid[];
  v_tasks uuid[];
begin
  -- First found, then locked by primary key: asked for in order of run_id at once, the planner may read
  -- all runs in that order instead.
  execute format($q$
    select array_agg(r.run_id)
      from absurd.%I r
     where r.task_id = any ($1)
    $q$, 'r_' || p_queue_name)
    into v_runs
    using p_tasks;

  v_runs := absurd.lock_runs(p_queue_name, v_runs, true);

  execute format($q$
    with task as materialized (
      select t.task_id
        from unnest($1, $2) as c (task_id, last_attempt_run)
        join absurd.%I t on t.task_id = c.task_id
       where t.state in ('completed', 'failed', 'cancelled')
         and t.last_attempt_run is not distinct from c.last_attempt_run
         for update of t skip locked
    )
    select array_agg(x.task_id) from task x
    $q$, 't_' || p_queue_name)
    into v_tasks
    using p_tasks, p_last_runs;

  -- A run that was locked elsewhere, or that came since, keeps its task.
  execute format($q$
    select coalesce(array_agg(x.task_id), '{}')
      from unnest($1) as x (task_id)
     where not exists (
       select from absurd.%I r
        where r.task_id = x.task_id
          and r.run_id <> all (coalesce($2, '{}')))
    $q$, 'r_' || p_queue_name)
    into v_tasks
    using v_tasks, v_runs;

  return v_tasks;
end;
$$;

-- Check the age from which cleanup deletes.
--
-- Locks: none.
-- Raises P0001 when it is NULL or negative.
create or replace function absurd.check_ttl(p_queue_name text, p_ttl_seconds integer)
  returns void
  language plpgsql
  immutable
as $$
begin
  if p_ttl_seconds is null or p_ttl_seconds < 0 then
    raise exception 'cleanup of queue "%" needs a TTL of 0 seconds or more, not %',
      p_queue_name, coalesce(p_ttl_seconds::text, 'NULL');
  end if;
end;
$$;
