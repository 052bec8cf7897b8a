-- The claim proper, with the arguments already put right. Called by claim, under its settings: without
-- them the plan flips to a sort or a scan of the backlog as tables grow or before they are analyzed.
--
-- The token is later than the run's previous one even when the clock stands still or steps back.
create or replace function absurd_swift.claim_due(
  p_queue text,
  p_worker text,
  p_claim_timeout integer,
  p_limit integer,
  p_due_from timestamptz,
  p_now timestamptz
)
  returns table(
    run_id uuid,
    task_id uuid,
    attempt integer,
    task_name text,
    params text,
    retry_strategy text,
    max_attempts integer,
    headers text,
    wake_event text,
    event_payload text,
    token timestamptz,
    claim_expires_at timestamptz,
    due timestamptz,
    resumed boolean
  )
  language plpgsql
as $$
declare
  -- On the first start max_duration takes the place of max_delay.
  v_cancel_at text := case when absurd_swift.has_cancel_at(p_queue) then
    ', cancel_at = case when c.first_started_at is null'
    ' then absurd_swift.policy_end($5, c.cancellation, ''max_duration'') else r.cancel_at end'
    else '' end;
begin
  return query execute format($sql$
    with c as materialized (
      select r.run_id, r.task_id, r.available_at as due, t.first_started_at, t.cancellation
      from absurd.%1$I r
      join absurd.%2$I t on t.task_id = r.task_id
      where r.state in ('pending', 'sleeping')
        and r.available_at between $4 and $5
        and t.state in ('pending', 'sleeping', 'running')
      order by r.available_at, r.run_id
      limit $3
      for update skip locked
    ),
    u as (
      update absurd.%1$I r
      set state = 'running',
          claimed_by = $1,
          claim_expires_at = case when $2 > 0 then $5 + make_interval(secs => $2) end,
          started_at = greatest($5, r.started_at + interval '1 microsecond'),
          available_at = $5
          %4$s
      from c
      where r.run_id = c.run_id
      returning r.run_id, r.task_id, r.attempt, r.wake_event, r.event_payload, r.started_at,
        r.claim_expires_at, c.due, c.first_started_at is not null as resumed
    ),
    s as (
      update absurd.%2$I t
      set state = 'running',
          attempts = greatest(t.attempts, u.attempt),
          first_started_at = coalesce(t.first_started_at, $5),
          last_attempt_run = u.run_id
      from u
      where t.task_id = u.task_id
      returning u.*, t.task_name, t.params, t.retry_strategy, t.max_attempts, t.headers
    ),
    e as materialized (
      select w.run_id, w.step_name
      from c
      join absurd.%3$I w on w.run_id = c.run_id
      where w.timeout_at <= $5
      for update of w skip locked
    ),
    d as (
      delete from absurd.%3$I w using e where w.run_id = e.run_id and w.step_name = e.step_name
    )
    select s.run_id, s.task_id, s.attempt, s.task_name, s.params::text, s.retry_strategy::text,
      s.max_attempts, s.headers::text, s.wake_event, s.event_payload::text, s.started_at,
      s.claim_expires_at, s.due, s.resumed
    from s
    order by s.due, s.run_id
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue, v_cancel_at
  ) using p_worker, p_claim_timeout, p_limit, p_due_from, p_now;
end;
$$;
