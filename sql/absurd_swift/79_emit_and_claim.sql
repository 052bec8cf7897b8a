-- Emit one event and, when one run alone waits for it, claim that for the emitter's own worker if its task has one of the
-- names that the worker knows: one statement, one commit and one version of each row for what else takes three statements.
-- For a worker that has nothing to do.
--
-- The rows are left as emit and a claim at the same moment would leave them. Nobody is notified of the run that was claimed;
-- of several that wait none is claimed, and all are woken as by emit.
--
-- Returns a first row with the answer, emitted or known, and with the claimed run as claim returns it, or NULL in its columns.
-- With a run, a row follows for each checkpoint that it may see, with step and state and nothing else, up to the one that
-- reaches p_max_bytes; then load_checkpoints has more. No row at all, and nothing done: something is out of the ordinary, which
-- emit finds out and answers.
--
-- Locks: those of emit; then the worker's row in the registry, shared.
-- Raises AS009 for a worker that is not in the registry, 55P03, 40P01, and for a value at fault what emit would answer.
create or replace function absurd_swift.emit_and_claim(
  p_queue text,
  p_name text,
  p_payload text,
  p_worker text,
  p_claim_timeout integer,
  p_task_names text[],
  p_max_bytes bigint default 8388608
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
    resumed boolean,
    answer text,
    step text,
    state text
  )
  language plpgsql
as $$
declare
  v_call text := absurd_swift.planned_call('raise', p_queue, 6);
begin
  if v_call is not null then
    return query execute v_call
    using p_name, p_payload, p_worker, p_claim_timeout, p_task_names, p_max_bytes;
  end if;
end;
$$;

-- The statement that delivers the event $2 with the payload $7 at $3 to the run $1, which is locked, and claims it for the
-- worker $4 and $5 seconds. Returns the run as claim does, or no row, having changed nothing, when it does not wait for that
-- any more, is not to be claimed, or has none of the names $6.
create or replace function absurd_swift.rouse_statement(p_queue text)
  returns text
  language plpgsql
  stable
as $$
declare
  v_has_cancel_at boolean := absurd_swift.has_cancel_at(p_queue);
begin
  return format($sql$
    with x as materialized (
      select w.run_id, w.step_name, r.task_id, t.first_started_at, t.cancellation
      from absurd.%1$I w
      join absurd.%2$I r on r.run_id = w.run_id
      join absurd.%3$I t on t.task_id = r.task_id
      where w.run_id = $1
        and (
          w.event_name = $2
          and (w.timeout_at is null or w.timeout_at > $3)
          and r.state = 'sleeping'
          and t.state in ('pending', 'sleeping', 'running')
          and t.task_name = any ($6)
          and %5$s
        ) is true
    ),
    u as (
      update absurd.%2$I r
      set state = 'running',
          claimed_by = $4,
          claim_expires_at = case when $5 > 0 then $3 + make_interval(secs => $5) end,
          started_at = greatest($3, r.started_at + interval '1 microsecond'),
          available_at = $3,
          wake_event = null,
          event_payload = $7
          %6$s
      from x
      where r.run_id = x.run_id
      returning r.run_id, r.task_id, r.attempt, r.wake_event, r.event_payload, r.started_at, r.claim_expires_at,
        x.first_started_at is not null as resumed
    ),
    s as (
      update absurd.%3$I t
      set state = 'running',
          attempts = greatest(t.attempts, u.attempt),
          first_started_at = coalesce(t.first_started_at, $3),
          last_attempt_run = u.run_id
      from u
      where t.task_id = u.task_id
      returning u.*, t.task_name, t.params, t.retry_strategy, t.max_attempts, t.headers
    ),
    c as (
      insert into absurd.%4$I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select x.task_id, x.step_name, $7, 'committed', x.run_id, $3
      from x
      on conflict (task_id, checkpoint_name) do update
      set state = excluded.state,
          status = excluded.status,
          owner_run_id = excluded.owner_run_id,
          updated_at = excluded.updated_at
    ),
    d as (
      delete from absurd.%1$I w using x where w.run_id = any (array[x.run_id]) and w.step_name = x.step_name
    )
    select s.run_id, s.task_id, s.attempt, s.task_name, s.params::text, s.retry_strategy::text, s.max_attempts,
      s.headers::text, s.wake_event, s.event_payload::text, s.started_at, s.claim_expires_at, $3, true
    from s
    $sql$,
    'w_' || p_queue, 'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue,
    case when v_has_cancel_at then '(r.cancel_at <= $3) is not true'
      else '(t.cancellation is null'
      ' or absurd_swift.is_over(t.cancellation, t.enqueue_at, t.first_started_at, $3) is not true)' end,
    case when v_has_cancel_at then
      ', cancel_at = case when x.cancellation is null then null when x.first_started_at is null'
      ' then absurd_swift.policy_end($3, x.cancellation, ''max_duration'') else r.cancel_at end'
    else '' end
  );
end;
$$;

-- The body of the queue's own function, which does all of it: with the event $1, its payload $2, the worker $3, seconds $4,
-- task names $5 and bytes $6. Callers with rights on the tables call it directly.
create or replace function absurd_swift.emit_and_claim_body(p_queue text)
  returns text
  language plpgsql
  stable
as $$
begin
  return format($body$
#variable_conflict use_column
declare
  v_name constant text := $1;
  v_payload constant jsonb := coalesce($2, 'null')::jsonb;
  v_worker constant text := $3;
  v_seconds constant integer := greatest(coalesce($4, 30), 0);
  v_task_names constant text[] := $5;
  v_now constant timestamptz := absurd.current_time();
  v_is_emitted boolean;
  v_runs uuid[];
  v_has_late boolean;
  v_run uuid;
  v_position integer;
  v_bytes bigint := 0;
begin
  if coalesce(btrim(v_name), '') = '' then
    return;
  end if;
  %1$s into v_is_emitted;
  answer := case when v_is_emitted then 'emitted' else 'known' end;
  if v_is_emitted then
    -- As lock_waiting_runs_statement does for several events; a run that waits twice is not alone either.
    select
      (
        select array_agg(l.run_id)
        from (
          select r.run_id
          from absurd.%2$I w
          join absurd.%7$I r on r.run_id = w.run_id
          where w.event_name = v_name and (w.timeout_at <= v_now) is not true
          order by r.run_id
          for no key update of r
        ) l
      ),
      exists (select from absurd.%2$I w where w.event_name = v_name and w.timeout_at <= v_now)
    into v_runs, v_has_late;
  end if;
  if cardinality(v_runs) = 1 and not v_has_late then
    v_run := v_runs[1];
    perform absurd_swift.hold_worker(v_worker);
    perform pg_catalog.set_config('absurd_swift.quiet', %6$L, true);
    %3$s into run_id, task_id, attempt, task_name, params, retry_strategy, max_attempts, headers, wake_event,
      event_payload, token, claim_expires_at, due, resumed;
    perform pg_catalog.set_config('absurd_swift.quiet', '', true);
    if run_id is not null then
      return next;
      -- Once is enough of what may be large.
      run_id := null;
      task_id := null;
      attempt := null;
      task_name := null;
      params := null;
      retry_strategy := null;
      max_attempts := null;
      headers := null;
      wake_event := null;
      event_payload := null;
      token := null;
      claim_expires_at := null;
      due := null;
      resumed := null;
      answer := null;
      for v_position, step, state in %4$s loop
        return next;
        v_bytes := v_bytes + octet_length(step) + coalesce(octet_length(state), 0);
        exit when v_bytes >= $6;
      end loop;
      return;
    end if;
  end if;
  return next;
  if v_runs is not null or v_has_late then
    perform absurd_swift.wake_event_waits(%5$L, array[v_name], v_now);
  end if;
end;
$body$,
    absurd_swift.with_arguments(absurd_swift.tell_statement(p_queue), 'v_name', 'v_payload', 'v_now'),
    'w_' || p_queue,
    absurd_swift.with_arguments(
      absurd_swift.rouse_statement(p_queue), 'v_run', 'v_name', 'v_now', 'v_worker', 'v_seconds', 'v_task_names',
      'v_payload'
    ),
    absurd_swift.with_arguments(absurd_swift.load_statement(p_queue), 'v_runs', '0', 'null'),
    p_queue, absurd_swift.wake_key(p_queue), 'r_' || p_queue
  );
end;
$$;
