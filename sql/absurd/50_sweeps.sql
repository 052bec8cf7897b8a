-- What claim_task does before it claims: ends what is overdue.

-- Cancel tasks whose cancellation policy has run out.
--
-- Locks: at most p_limit runs, each with its task; locked ones are skipped, so nothing waits.
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
  v_tasks uuid[];
  v_task_id uuid;
begin
  execute format($q$
    with overdue as materialized (
      select r.task_id
        from absurd.%1$I r
        join absurd.%2$I t on t.task_id = r.task_id
       where r.cancel_at <= $1
         and r.state in ('pending', 'sleeping', 'running')
         and t.state in ('pending', 'sleeping', 'running')
       order by r.cancel_at
       limit $2
         for update of r, t skip locked
    )
    select array_agg(o.task_id) from overdue o
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_tasks
    using p_now, p_limit;

  foreach v_task_id in array coalesce(v_tasks, '{}') loop
    perform absurd.cancel_task_at(p_queue_name, v_task_id, p_now);
  end loop;
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
