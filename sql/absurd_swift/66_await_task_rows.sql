-- await_task for rows that name each run once; fails as a whole if a value cannot be written.
create or replace function absurd_swift.await_task_rows(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_task_queues text[],
  p_tasks uuid[],
  p_poll_delays double precision[],
  p_park boolean[],
  p_wait boolean
)
  returns table("position" integer, answer text, payload text, sqlstate text, message text)
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_answered boolean[] := array_fill(false, array[cardinality(p_runs)]);
  -- What is known of each row's task: NULL when there is none, else ended, open or locked.
  v_found text[] := array_fill(null::text, array[cardinality(p_runs)]);
  v_snapshots jsonb[] := array_fill(null::jsonb, array[cardinality(p_runs)]);
  v_child record;
begin
  return query
    select x.ordinality::integer, 'refused', null::text,
      case when coalesce(btrim(x.step), '') = '' then 'AS004' else 'AS006' end,
      case when coalesce(btrim(x.step), '') = '' then 'the step name is blank'
        else 'the poll delay is missing or negative' end
    from unnest(p_steps, p_poll_delays) with ordinality x(step, delay, ordinality)
    where not absurd_swift.is_task_wait(x.step, x.delay);

  for v_child in
    select c.*
    from (
      select distinct x.queue from unnest(p_task_queues) x(queue)
      where to_regclass(format('absurd.%I', 't_' || coalesce(x.queue, ''))) is not null
      order by x.queue
      offset 0
    ) q
    cross join lateral absurd_swift.look_at_tasks(q.queue, p_task_queues, p_tasks, p_park, p_wait) c
  loop
    v_found[v_child.position] := v_child.found;
    v_snapshots[v_child.position] := v_child.snapshot;
  end loop;

  for "position", answer, payload in execute format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.*, $11 + make_interval(secs => x.delay) as poll_at
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::uuid[],
          $7::double precision[], $8::boolean[], $9::text[], $10::jsonb[])
        with ordinality x(
          run_id, token, step, child_queue, child_id, delay, park, found, snapshot, ordinality
        )
      where absurd_swift.is_task_wait(x.step, x.delay)
    ),
    l as materialized (
      select i.*, r.task_id
      from i
      join absurd.%1$I r on r.run_id = i.run_id
      %4$s
      where (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %5$s
    ),
    d as materialized (
      select l.*, coalesce(c.state, l.snapshot) as payload, c.state is null and l.found = 'ended' as is_new,
        case
          when c.state is not null or l.found = 'ended' then 'received'
          when l.found is null then 'unknown'
          when l.park is not true then 'absent'
          when l.found = 'open' then 'parked'
        end as answer
      from l
      left join absurd.%3$I c on c.task_id = l.task_id and c.checkpoint_name = l.step
    ),
    u as (
      update absurd.%1$I r
      set state = 'sleeping',
          claimed_by = null,
          claim_expires_at = null,
          available_at = d.poll_at,
          wake_event = null
      from d
      where r.run_id = d.run_id and d.answer = 'parked'
    ),
    s as (
      update absurd.%2$I t set state = 'sleeping' from d where t.task_id = d.task_id and d.answer = 'parked'
    ),
    g as (
      insert into absurd_swift.result_waits (task_queue, task_id, queue, run_id, token)
      select d.child_queue, d.child_id, $12, d.run_id, d.token from d where d.answer = 'parked'
      order by d.child_queue, d.child_id, d.run_id
      on conflict (task_queue, task_id, queue, run_id) do update set token = excluded.token
    ),
    n as (
      insert into absurd.%3$I as c (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select d.task_id, d.step, d.payload, 'committed', d.run_id, $11
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
    'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue,
    absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait)
  ) using p_worker, p_runs, p_tokens, p_steps, p_task_queues, p_tasks, p_poll_delays, p_park, v_found,
    v_snapshots, absurd.current_time(), p_queue
  loop
    v_answered["position"] := true;
    return next;
  end loop;

  if false = any (v_answered) then
    return query
      select r.position, r.answer, null::text, null::text, null::text
      from absurd_swift.parked_rest(p_queue, p_worker, p_runs, p_tokens, v_answered) r
      where absurd_swift.is_task_wait(p_steps[r.position], p_poll_delays[r.position]);
  end if;
end;
$$;

-- Whether a row of await_task has what it needs.
create or replace function absurd_swift.is_task_wait(p_step text, p_delay double precision)
  returns boolean
  language sql
  immutable
as $$
  select coalesce(btrim(p_step), '') <> '' and coalesce(p_delay >= 0, false)
$$;
