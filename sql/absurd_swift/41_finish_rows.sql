-- finish for rows that name each run once; fails as a whole if a value cannot be written or, unless
-- p_careful, if a payload cannot be cast.
create or replace function absurd_swift.finish_rows(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_payloads text[],
  p_steps text[],
  p_wake_at timestamptz[],
  p_delays double precision[],
  p_wait boolean,
  p_careful boolean
)
  returns table("position" integer, answer text, task_state text, sqlstate text, message text)
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_now timestamptz := absurd.current_time();
  v_kinds text[];
  v_positions integer[];
  v_answers text[];
  v_task_states text[];
  v_sqlstates text[];
  v_messages text[];
  v_ended uuid[];
  v_answered boolean[] := array_fill(false, array[cardinality(p_runs)]);
  v_position integer;
begin
  v_kinds := p_actions[1:1];
  if p_actions <> array_fill(p_actions[1], array[cardinality(p_runs)]) then
    select array_agg(distinct x.action) into v_kinds from unnest(p_actions) x(action);
  end if;

  -- Several actions are several statements: lock everything before the first of them, in one order.
  if cardinality(v_kinds) > 1 then
    perform absurd_swift.lock_claims(p_queue, p_worker, p_runs, p_tokens, p_wait);
  end if;

  -- Arrays, since a loop over rows costs as much as a sixth of all the rest.
  select array_agg(d.position), array_agg(d.answer), array_agg(d.task_state), array_agg(d.sqlstate),
    array_agg(d.message), array_agg(d.task_id) filter (where d.task_state in ('completed', 'failed', 'cancelled'))
  into v_positions, v_answers, v_task_states, v_sqlstates, v_messages, v_ended
  from (
    select c.* from absurd_swift.finish_complete(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, v_now, p_wait,
      p_careful
    ) c
    where 'complete' = any (v_kinds)
    union all
    select f.* from absurd_swift.finish_fail(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, p_wake_at, p_delays, v_now, p_wait,
      p_careful
    ) f
    where v_kinds && array['fail', 'fail_final']
    union all
    select p.* from absurd_swift.finish_park(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, p_steps, p_wake_at, p_delays, v_now, p_wait,
      p_careful
    ) p
    where v_kinds && array['sleep', 'release']
  ) d;
  return query
    select d.position, d.answer, d.task_state, d.sqlstate, d.message
    from unnest(v_positions, v_answers, v_task_states, v_sqlstates, v_messages)
      d("position", answer, task_state, sqlstate, message);

  if v_ended is not null then
    perform absurd_swift.wake_result_waits(p_queue, v_ended, p_runs, v_now);
  end if;
  -- Each position is answered once at most: the runs are different ones, and each has one action.
  if coalesce(cardinality(v_positions), 0) < cardinality(p_runs) then
    foreach v_position in array coalesce(v_positions, '{}') loop
      v_answered[v_position] := true;
    end loop;
    return query select * from absurd_swift.finish_rest(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, v_answered
    );
  end if;
end;
$$;
