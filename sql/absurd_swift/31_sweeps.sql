-- What time does to runs, enforced by whoever claims: cancellation policies and expired claims.
--
-- Both are bounded, take only rows nobody holds, and never raise for one bad row: set-based first, and
-- if that fails, row by row without the bad ones.

-- What earlier versions of this schema had in their place.
drop function if exists absurd_swift.sweep_policies(text, integer);
drop function if exists absurd_swift.sweep_claims(text, integer);

-- Cancel up to p_limit tasks whose policy says so: not started within max_delay seconds, or not ended
-- within max_duration seconds of the first start.
--
-- Locks: as cancel_tasks with SKIP LOCKED. Returns whether there was any.
create or replace function absurd_swift.sweep_policies(p_queue text, p_limit integer)
  returns boolean
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_tasks uuid[];
  v_task uuid;
begin
  execute format(
    case when absurd_swift.has_cancel_at(p_queue)
      then $sql$
        select array_agg(x.task_id) from (
          select r.task_id from absurd.%1$I r
          where r.cancel_at is not null
            and r.cancel_at <= $1
            and r.state in ('pending', 'sleeping', 'running')
          order by r.cancel_at
          limit $2
          for update skip locked
        ) x
        $sql$
      -- Official queues have no index by time; this reads every task with a policy, as claim_task does.
      else $sql$
        select array_agg(x.task_id) from (
          select t.task_id from absurd.%2$I t
          where t.cancellation is not null
            and t.state in ('pending', 'sleeping', 'running')
            and absurd_swift.is_over(t.cancellation, t.enqueue_at, t.first_started_at, $1)
          order by t.task_id
          limit $2
        ) x
        $sql$
    end,
    'r_' || p_queue, 't_' || p_queue
  ) into v_tasks using v_now, p_limit;

  if v_tasks is null then
    return false;
  end if;
  begin
    perform absurd_swift.cancel_tasks(p_queue, v_tasks, v_now, false);
    return true;
  exception
    when data_exception or integrity_constraint_violation or program_limit_exceeded
      or lock_not_available or deadlock_detected then
      null;
  end;
  -- Each of these can wait for a lock, so they are few; the rest is left to the next sweep.
  foreach v_task in array v_tasks[1:100] loop
    begin
      perform absurd_swift.cancel_tasks(p_queue, array[v_task], v_now, false);
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded
        or lock_not_available or deadlock_detected then
        null;
    end;
  end loop;
  return true;
end;
$$;

-- Fail up to p_limit running runs whose claim has expired, with the reason $ClaimTimeout.
--
-- Locks: the runs with SKIP LOCKED, then as fail_runs with SKIP LOCKED. Returns whether there was any.
create or replace function absurd_swift.sweep_claims(p_queue text, p_limit integer)
  returns boolean
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_runs uuid[];
  v_reasons jsonb[];
begin
  execute format($sql$
    select array_agg(x.run_id order by x.run_id), array_agg(x.reason order by x.run_id)
    from (
      select r.run_id,
        jsonb_strip_nulls(jsonb_build_object(
          'name', '$ClaimTimeout',
          'message', 'the worker neither finished the run nor renewed its claim in time',
          'workerId', r.claimed_by,
          'claimExpiredAt', r.claim_expires_at,
          'attempt', r.attempt
        )) as reason
      from absurd.%1$I r
      where r.state = 'running' and r.claim_expires_at is not null and r.claim_expires_at <= $1
      order by r.claim_expires_at, r.run_id
      limit $2
      for update skip locked
    ) x
    $sql$,
    'r_' || p_queue
  ) into v_runs, v_reasons using v_now, p_limit;

  perform absurd_swift.fail_each(p_queue, v_runs, v_reasons, v_now);
  return v_runs is not null;
end;
$$;

-- Fail runs that the caller has locked: together, and if that fails, one by one without those at fault. Returns
-- how many were failed.
create or replace function absurd_swift.fail_each(
  p_queue text,
  p_runs uuid[],
  p_reasons jsonb[],
  p_now timestamptz
)
  returns integer
  language plpgsql
as $$
declare
  v_failed integer;
begin
  if p_runs is null then
    return 0;
  end if;
  begin
    perform absurd_swift.fail_expired(p_queue, p_runs, p_reasons, p_now);
  exception
    when data_exception or integrity_constraint_violation or program_limit_exceeded
      or lock_not_available or deadlock_detected then
      for v_i in 1 .. cardinality(p_runs) loop
        begin
          perform absurd_swift.fail_expired(p_queue, p_runs[v_i:v_i], p_reasons[v_i:v_i], p_now);
        exception
          when data_exception or integrity_constraint_violation or program_limit_exceeded
            or lock_not_available or deadlock_detected then
            null;
        end;
      end loop;
  end;
  execute format($sql$
    select count(*)::integer
    from unnest($1) x(run_id)
    join absurd.%1$I r on r.run_id = x.run_id
    where r.state = 'failed'
    $sql$,
    'r_' || p_queue
  ) into v_failed using p_runs;
  return v_failed;
end;
$$;

-- Fail runs that the caller has locked, and wake what waited for their tasks.
--
-- Sorting is off in claim; here something is locked in order of run_id, which without it is a scan.
create or replace function absurd_swift.fail_expired(
  p_queue text,
  p_runs uuid[],
  p_reasons jsonb[],
  p_now timestamptz
)
  returns void
  language plpgsql
  set enable_sort = on
as $$
declare
  v_ended uuid[];
begin
  select array_agg(f.task_id) filter (where f.task_state in ('failed', 'cancelled'))
  into v_ended
  from absurd_swift.fail_runs(
    p_queue, p_runs, p_reasons, array_fill(null::timestamptz, array[cardinality(p_runs)]),
    array_fill(false, array[cardinality(p_runs)]), p_now, false
  ) f;
  perform absurd_swift.wake_result_waits(p_queue, v_ended, p_runs, p_now);
end;
$$;
