-- Claiming.

-- Claim due runs for a worker, in the order in which they became due. Before that, cancel tasks whose
-- cancellation policy has run out (at most 1,000, or p_qty if that is more) and fail at most p_qty runs
-- whose lease has ended; a retry that is due at once is claimed by the same call. A run whose policy has
-- run out is not claimed even when the sweep has not come to it.
--
-- A timeout of 0 gives a lease that does not end. The price of a claim does not depend on the number of
-- runs that are due: the index of waiting runs is read in its order, rows are joined and updated by
-- primary key, and the settings below keep the planner to that with any statistics or none. They hold in
-- what this function calls too: with sorting off, a statement there that asks for an order which no index
-- on its conditions has reads a whole table.
--
-- Locks: each run with its task, the run first; rows locked by others are skipped, so nothing waits.
-- Then expired waits of the claimed runs, skipping those that emit_event deletes at the moment.
-- Returns one row per claimed run.
-- Raises 42P01 when there is no such queue.
create or replace function absurd.claim_task(
  p_queue_name text,
  p_worker_id text,
  p_claim_timeout integer default 30,
  p_qty integer default 1
)
  returns table (
    run_id uuid,
    task_id uuid,
    attempt integer,
    task_name text,
    params jsonb,
    retry_strategy jsonb,
    max_attempts integer,
    headers jsonb,
    wake_event text,
    event_payload jsonb
  )
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set enable_sort = off
  set jit = off
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_worker text := coalesce(nullif(p_worker_id, ''), 'worker');
  v_timeout integer := greatest(coalesce(p_claim_timeout, 30), 0);
  v_qty integer := greatest(coalesce(p_qty, 1), 1);
  v_expires_at timestamptz := case when v_timeout > 0 then v_now + make_interval(secs => v_timeout) end;
  v_overdue boolean;
  v_expired boolean;
  v_waited uuid[] := '{}';
begin
  execute format($q$
    select exists (
             select from absurd.%1$I r
              where r.cancel_at <= $1 and r.state in ('pending', 'sleeping', 'running')),
           exists (
             select from absurd.%1$I r
              where r.state = 'running' and r.claim_expires_at <= $1)
    $q$, 'r_' || p_queue_name)
    into v_overdue, v_expired
    using v_now;

  if v_overdue then
    perform absurd.sweep_policies(p_queue_name, v_now, greatest(v_qty, 1000));
  end if;

  if v_expired then
    perform absurd.sweep_leases(p_queue_name, v_now, v_qty);
  end if;

  for run_id, task_id, attempt, task_name, params, retry_strategy, max_attempts, headers, wake_event, event_payload in
    execute format($q$
      with due as materialized (
        select r.run_id, r.task_id, r.attempt, r.available_at, r.wake_event, r.event_payload,
               t.task_name, t.params, t.retry_strategy, t.max_attempts, t.headers,
               case when t.cancellation is not null
                 then absurd.cancellation_deadline(
                   t.cancellation, t.enqueue_at, coalesce(t.first_started_at, $1))
               end as cancel_at
          from absurd.%1$I r
          join absurd.%2$I t on t.task_id = r.task_id
         where r.state in ('pending', 'sleeping')
           and r.available_at <= $1
           and (r.cancel_at <= $1) is not true
           and t.state in ('pending', 'sleeping', 'running')
         order by r.available_at, r.run_id
         limit $2
           for update of r, t skip locked
      ), run as (
        update absurd.%1$I r
           set state = 'running',
               claimed_by = $3,
               claim_expires_at = $4,
               started_at = $1,
               available_at = $1,
               cancel_at = d.cancel_at
          from due d
         where r.run_id = d.run_id
      ), task as (
        update absurd.%2$I t
           set state = 'running',
               attempts = greatest(t.attempts, d.attempt),
               first_started_at = coalesce(t.first_started_at, $1),
               last_attempt_run = d.run_id
          from due d
         where t.task_id = d.task_id
      )
      select d.run_id, d.task_id, d.attempt, d.task_name, d.params, d.retry_strategy, d.max_attempts,
             d.headers, d.wake_event, d.event_payload
        from due d
       order by d.available_at, d.run_id
      $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    using v_now, v_qty, v_worker, v_expires_at
  loop
    -- A run that waits for an event bears its name, so the others need not be looked up among the waits.
    if wake_event is not null then
      v_waited := v_waited || run_id;
    end if;
    return next;
  end loop;

  if v_waited <> '{}' then
    execute format($q$
      delete from absurd.%1$I w
       where (w.run_id, w.step_name) in (
         select x.run_id, x.step_name
           from absurd.%1$I x
          where x.run_id = any ($1)
            and x.timeout_at <= $2
            for update skip locked)
      $q$, 'w_' || p_queue_name)
      using v_waited, v_now;
  end if;
end;
$$;
