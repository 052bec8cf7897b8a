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
  v_answered boolean[] := array_fill(false, array[cardinality(p_runs)]);
  v_ended uuid[];
  v_done record;
begin
  select array_agg(distinct x.action) into v_kinds from unnest(p_actions) x(action);

  -- Several actions are several statements: lock everything before the first of them, in one order.
  if cardinality(v_kinds) > 1 then
    perform absurd_swift.lock_claims(p_queue, p_worker, p_runs, p_tokens, p_wait);
  end if;

  for v_done in
    select d.* from absurd_swift.finish_complete(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, v_now, p_wait,
      p_careful
    ) d
    where 'complete' = any (v_kinds)
    union all
    select d.* from absurd_swift.finish_fail(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, p_wake_at, p_delays, v_now, p_wait,
      p_careful
    ) d
    where v_kinds && array['fail', 'fail_final']
    union all
    select d.* from absurd_swift.finish_park(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, p_steps, p_wake_at, p_delays, v_now, p_wait,
      p_careful
    ) d
    where v_kinds && array['sleep', 'release']
  loop
    "position" := v_done.position;
    answer := v_done.answer;
    task_state := v_done.task_state;
    sqlstate := v_done.sqlstate;
    message := v_done.message;
    v_answered["position"] := true;
    if task_state in ('completed', 'failed', 'cancelled') then
      v_ended := v_ended || v_done.task_id;
    end if;
    return next;
  end loop;

  if v_ended is not null then
    perform absurd_swift.wake_result_waits(p_queue, v_ended, p_runs, v_now);
  end if;
  if false = any (v_answered) then
    return query select * from absurd_swift.finish_rest(
      p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, v_answered
    );
  end if;
end;
$$;
