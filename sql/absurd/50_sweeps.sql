-- What claim_task does before it claims: ends what is overdue.

-- Cancel tasks whose cancellation policy has run out, all at once: one by one, a backlog of them would take
-- so long that each of the following claims walks past the rest. The rows are left as by cancel_task.
--
-- Locks: at most p_limit runs, each with its task, and the tasks' waits, which emit_event deletes without a
-- lock on their run; locked ones are skipped, so nothing waits. A wait that is left means nothing to
-- emit_event and goes with its task.
-- Raises nothing.
create or replace function absurd.sweep_policies(p_queue_name text, p_now timestamptz, p_limit integer)
  returns void
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
  execute format($q$
    with overdue as materialized (
      select r.run_id, r.task_id
        from absurd.%1$I r
        join absurd.%2$I t on t.task_id = r.task_id
       where r.cancel_at <= $1
         and r.state in ('pending', 'sleeping', 'running')
         and t.state in ('pending', 'sleeping', 'running')
       order by r.cancel_at
       limit $2
         for update of r, t skip locked
    )
    select array_agg(o.run_id), array_agg(o.task_id) from overdue o
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_runs, v_tasks
    using p_now, p_limit;

  if v_runs is null then
    return;
  end if;

  -- A statement of its own, so that it sees the waits of a run that went to sleep while it was being locked.
  execute format($q$
    with overdue as materialized (
      select x.run_id, x.task_id from unnest($1, $2) as x (run_id, task_id)
    ), run as (
      update absurd.%1$I r
         set state = 'cancelled',
             claimed_by = null,
             claim_expires_at = null
        from overdue o
       where r.run_id = o.run_id
    ), task as (
      update absurd.%2$I t
         set state = 'cancelled',
             cancelled_at = coalesce(t.cancelled_at, $3)
        from overdue o
       where t.task_id = o.task_id
    ), wait as materialized (
      select w.run_id, w.step_name
        from overdue o
        join absurd.%3$I w on w.task_id = o.task_id
         for update of w skip locked
    )
    delete from absurd.%3$I w
     using wait x
     where w.run_id = x.run_id
       and w.step_name = x.step_name
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name, 'w_' || p_queue_name)
    using v_runs, v_tasks, p_now;
end;
$$;

-- Fail runs whose lease has ended, oldest lease first; their tasks are retried like after any failure.
--
-- Locks: at most p_limit runs, each with its task; locked ones are skipped, so nothing waits.
-- Raises nothing.
create or replace function absurd.sweep_leases(p_queue_name text, p_now timestamptz, p_limit integer)
  returns void
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set jit = off
as $$
declare
  v_runs uuid[];
  v_reasons jsonb[];
begin
  execute format($q$
    with expired as materialized (
      select r.run_id, r.claimed_by, r.claim_expires_at, r.attempt
        from absurd.%1$I r
        join absurd.%2$I t on t.task_id = r.task_id
       where r.state = 'running'
         and r.claim_expires_at <= $1
       order by r.claim_expires_at, r.run_id
       limit $2
         for update of r, t skip locked
    )
    select array_agg(e.run_id),
           array_agg(jsonb_strip_nulls(jsonb_build_object(
             'name', '$ClaimTimeout',
             'message', 'the claim expired before the run was finished or the claim extended',
             'workerId', e.claimed_by,
             'claimExpiredAt', e.claim_expires_at,
             'attempt', e.attempt)))
      from expired e
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_runs, v_reasons
    using p_now, p_limit;

  for v_index in 1 .. coalesce(cardinality(v_runs), 0) loop
    perform absurd.fail_run_at(p_queue_name, v_runs[v_index], v_reasons[v_index], null, p_now);
  end loop;
end;
$$;
