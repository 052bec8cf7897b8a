-- What earlier versions of this schema had in its place.
drop function if exists absurd_swift.claim(text, text, integer, integer, timestamptz, boolean);
drop function if exists absurd_swift.claim_statement(text);

-- Claim up to p_limit due runs of a queue, oldest first.
--
-- p_claim_timeout: seconds, 0 for a claim without expiry. p_limit 0 sweeps only. p_due_from: lower
-- bound of the due time; a worker passes the smallest due time of its last batch, so that the entries
-- of finished runs, which an open transaction keeps in the index, are not read again and again. Runs
-- due earlier need a claim without bound now and then. p_sweep: first cancel by policy and fail
-- expired claims (31_sweeps); what these set free is claimed by the same call. A run whose policy has ended
-- it is not claimed even when no sweep has come to it. p_is_registered: p_worker is in the registry (25_workers),
-- and may claim only while it is. p_relaxed: the commit that follows need not wait for the disk
-- or for standbys, unless a sweep has done something. For callers whose transaction is this statement alone:
-- what a crash undoes then is the claim, whose holder is refused from there on, and no attempt is spent.
--
-- The planner settings matter: without them the plan flips to a sort or a scan of the backlog as tables
-- grow, or before they are analyzed. They hold in what this function calls too, where whatever needs an
-- order that no index has must allow sorting again.
--
-- Locks: the worker's row in the registry, shared, which keeps it from being given up before this claim is
-- visible; of each due run the run row, then the task row, SKIP LOCKED; expired waits of the claimed runs,
-- SKIP LOCKED, since emit_event deletes waits without a lock on their run.
-- Returns a row per claimed run, in order of due time; token is the third part of the fence. resumed
-- says that there may be checkpoints: the task was started before, or somebody has recorded some for it.
-- Raises 42P01 for an unknown queue, AS009 for a worker that was taken for dead, 55P03.
create or replace function absurd_swift.claim(
  p_queue text,
  p_worker text,
  p_claim_timeout integer,
  p_limit integer,
  p_due_from timestamptz default null,
  p_sweep boolean default true,
  p_is_registered boolean default false,
  p_relaxed boolean default false
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
  set lock_timeout = '200ms'
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set enable_sort = off
as $$
declare
  v_limit integer := greatest(coalesce(p_limit, 1), 0);
  v_timeout integer := greatest(coalesce(p_claim_timeout, 30), 0);
  v_running integer;
  -- What was written before in this transaction is not ours to risk.
  v_is_first boolean := pg_current_xact_id_if_assigned() is null;
  v_has_swept boolean := false;
  v_is_partitioned boolean := to_regclass(format('absurd.%I', 'i_' || p_queue)) is not null;
begin
  if p_is_registered then
    v_running := absurd_swift.hold_worker(p_worker);
  end if;
  if p_sweep then
    v_has_swept := absurd_swift.sweep_policies(p_queue, greatest(v_limit, 2000));
    v_has_swept := absurd_swift.sweep_claims(p_queue, greatest(v_limit, 100)) or v_has_swept;
  end if;
  if v_limit = 0 then
    return;
  end if;
  if p_relaxed and v_is_first and not v_has_swept then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  -- The clock is read after the sweeps, so that the retries they made are due for this claim. The token
  -- is later than the run's previous one even when the clock stands still or steps back.
  return query execute coalesce(
    absurd_swift.planned_call(case when v_is_partitioned then 'claip' else 'claim' end, p_queue, 5),
    absurd_swift.claim_statement(p_queue, v_is_partitioned)
  ) using coalesce(nullif(p_worker, ''), 'worker'), v_timeout, v_limit,
    coalesce(p_due_from, '-infinity'), absurd.current_time();

  if found and v_running = 0 then
    perform absurd_swift.note_claim(p_worker);
  end if;
end;
$$;

-- The statement that claims, for worker $1, $2 seconds, up to $3 runs that are due from $4 to $5.
--
-- The runs that it has locked stay where they are, so it updates them by their place, unless there are several tables
-- in which that place could be. One that changed between the beginning of the statement and its lock is not
-- found there: it is left to the next claim. Tasks are found by key, since their runs have been taken by then.
create or replace function absurd_swift.claim_statement(p_queue text, p_is_partitioned boolean)
  returns text
  language plpgsql
  stable
as $$
declare
  v_has_cancel_at boolean := absurd_swift.has_cancel_at(p_queue);
  -- On the first start max_duration takes the place of max_delay.
  v_cancel_at text := case when v_has_cancel_at then
    ', cancel_at = case when c.cancellation is null then null when c.first_started_at is null'
    ' then absurd_swift.policy_end($5, c.cancellation, ''max_duration'') else r.cancel_at end'
    else '' end;
  v_not_over text := case when v_has_cancel_at then '(r.cancel_at <= $5) is not true'
    else '(t.cancellation is null'
    ' or absurd_swift.is_over(t.cancellation, t.enqueue_at, t.first_started_at, $5) is not true)' end;
begin
  return format($sql$
    with c as materialized (
      select %7$s as run, r.available_at as due, t.first_started_at, t.cancellation
      from absurd.%1$I r
      join absurd.%2$I t on t.task_id = r.task_id
      where r.state in ('pending', 'sleeping')
        and r.available_at between $4 and $5
        and t.state in ('pending', 'sleeping', 'running')
        and %6$s
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
      where %7$s = c.run
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
      from u
      -- "= any (array[...])": see wake_runs_statement.
      join absurd.%3$I w on w.run_id = any (array[u.run_id])
      where u.wake_event is not null and w.timeout_at <= $5
      for update of w skip locked
    ),
    d as (
      delete from absurd.%3$I w using e where w.run_id = any (array[e.run_id]) and w.step_name = e.step_name
    )
    select s.run_id, s.task_id, s.attempt, s.task_name, s.params::text, s.retry_strategy::text,
      s.max_attempts, s.headers::text, s.wake_event, s.event_payload::text, s.started_at,
      s.claim_expires_at, s.due,
      -- "offset 0" keeps this a look at one index entry for each run; a kept plan would else hash the whole table.
      s.resumed or exists (select from absurd.%5$I p where p.task_id = s.task_id offset 0)
    from s
    order by s.due, s.run_id
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue, v_cancel_at, 'c_' || p_queue, v_not_over,
    case when p_is_partitioned then 'r.run_id' else 'r.ctid' end
  );
end;
$$;
