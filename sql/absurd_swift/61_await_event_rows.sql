-- await_event for rows that name each run once; fails as a whole if a value cannot be written.
create or replace function absurd_swift.await_event_rows(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_events text[],
  p_timeouts double precision[],
  p_park boolean[],
  p_wait boolean
)
  returns table("position" integer, answer text, payload text, sqlstate text, message text)
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_answered boolean[] := array_fill(false, array[cardinality(p_runs)]);
  v_locked text[];
begin
  return query
    select x.ordinality::integer, 'refused', null::text,
      case when coalesce(btrim(x.step), '') = '' then 'AS004'
        when coalesce(btrim(x.event), '') = '' then 'AS005' else 'AS006' end,
      case when coalesce(btrim(x.step), '') = '' then 'the step name is blank'
        when coalesce(btrim(x.event), '') = '' then 'the event name is blank'
        else 'the timeout is negative' end
    from unnest(p_steps, p_events, p_timeouts) with ordinality x(step, event, timeout, ordinality)
    where not absurd_swift.is_event_wait(x.step, x.event, x.timeout);

  v_locked := absurd_swift.lock_awaited_events(
    p_queue, p_worker, p_runs, p_tokens, p_steps, p_events, p_timeouts, p_park, p_wait
  );

  for "position", answer, payload in execute coalesce(
    case when p_wait then absurd_swift.planned_call('await', p_queue, 9) end,
    absurd_swift.await_event_statement(p_queue, p_wait)
  ) using p_worker, p_runs, p_tokens, p_steps, p_events, p_timeouts, p_park, absurd.current_time(), v_locked
  loop
    v_answered["position"] := true;
    return next;
  end loop;

  if false = any (v_answered) then
    return query
      select r.position, r.answer, null::text, null::text, null::text
      from absurd_swift.parked_rest(p_queue, p_worker, p_runs, p_tokens, v_answered) r
      where absurd_swift.is_event_wait(p_steps[r.position], p_events[r.position], p_timeouts[r.position]);
  end if;
end;
$$;

-- Whether a row of await_event has what it needs.
create or replace function absurd_swift.is_event_wait(p_step text, p_event text, p_timeout double precision)
  returns boolean
  language sql
  immutable
as $$
  select coalesce(btrim(p_step), '') <> '' and coalesce(btrim(p_event), '') <> ''
    and (p_timeout is null or p_timeout >= 0)
$$;

-- The statement that takes or awaits, for worker $1, the events $5 for the runs $2 with tokens $3 as the
-- steps $4, with the deadlines $6 seconds from $8, parking those that $7 says if their event is among $9.
create or replace function absurd_swift.await_event_statement(p_queue text, p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, x.step, x.event, x.park,
        $8 + make_interval(secs => x.timeout) as deadline
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::double precision[],
          $7::boolean[])
        with ordinality x(run_id, token, step, event, timeout, park, ordinality)
      where absurd_swift.is_event_wait(x.step, x.event, x.timeout)
    ),
    l as materialized (
      select i.*, r.task_id, r.wake_event, r.event_payload
      from i
      join absurd.%1$I r on r.run_id = i.run_id
      %6$s
      where (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %7$s
    ),
    d as materialized (
      select l.*, coalesce(c.state, e.payload) as payload,
        c.state is null and e.payload is not null as is_new,
        case
          when c.state is not null or e.payload is not null then 'received'
          when l.wake_event = l.event and l.event_payload is null then 'timed_out'
          when l.park is not true then 'absent'
          when l.event = any ($9) then 'parked'
        end as answer
      from l
      left join absurd.%4$I c on c.task_id = l.task_id and c.checkpoint_name = l.step
      left join absurd.%5$I e on e.event_name = l.event
    ),
    u as (
      update absurd.%1$I r
      set state = 'sleeping',
          claimed_by = null,
          claim_expires_at = null,
          available_at = coalesce(d.deadline, 'infinity'),
          wake_event = d.event,
          event_payload = null
      from d
      where r.run_id = d.run_id and d.answer = 'parked'
    ),
    s as (
      update absurd.%2$I t set state = 'sleeping' from d where t.task_id = d.task_id and d.answer = 'parked'
    ),
    w as (
      insert into absurd.%3$I as w (task_id, run_id, step_name, event_name, timeout_at, created_at)
      select d.task_id, d.run_id, d.step, d.event, d.deadline, $8
      from d
      where d.answer = 'parked'
      on conflict (run_id, step_name) do update
      set event_name = excluded.event_name,
          timeout_at = excluded.timeout_at,
          created_at = excluded.created_at
    ),
    p as (
      -- What was delivered or told is used up.
      update absurd.%1$I r
      set event_payload = null,
          wake_event = case when d.answer = 'timed_out' then null else r.wake_event end
      from d
      where r.run_id = d.run_id
        and (d.answer = 'timed_out' or d.is_new and d.event_payload is not null)
    ),
    n as (
      insert into absurd.%4$I as c (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select d.task_id, d.step, d.payload, 'committed', d.run_id, $8
      from d
      where d.is_new
      on conflict (task_id, checkpoint_name) do update
      set state = excluded.state,
          status = excluded.status,
          owner_run_id = excluded.owner_run_id,
          updated_at = excluded.updated_at
      where c.state is null
    )
    select d.position, d.answer, case when d.answer = 'received' then d.payload::text end
    from d
    where d.answer is not null
        $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue, 'c_' || p_queue, 'e_' || p_queue,
    absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait)
  )
$$;
