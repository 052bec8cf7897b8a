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
      p_queue, p_worker, p_runs, p_tokens, p_actions, v_answered
    );
  end if;
end;
$$;

-- Answers for the rows of finish that no action took: not held by this claim, or no known action.
create or replace function absurd_swift.finish_rest(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_answered boolean[]
)
  returns table("position" integer, answer text, task_state text, sqlstate text, message text)
  language plpgsql
as $$
begin
  return query execute format($sql$
    select v.position,
      v.answer,
      v.task_state,
      case when v.answer = 'refused' then 'AS002' end,
      case when v.answer = 'refused' then format('unknown action %%L', v.action) end
    from (
      select i.position, i.action, t.state as task_state,
        case
          when (i.action in ('complete', 'fail', 'fail_final', 'sleep', 'release')) is not true
            then 'refused'
          when r.started_at = i.token
            and (r.state = 'completed' and r.claimed_by = $1 and i.action = 'complete'
              or r.state = 'failed' and r.claimed_by = $1 and i.action in ('fail', 'fail_final')
              or r.state in ('pending', 'sleeping') and i.action in ('sleep', 'release'))
            then 'repeated'
          else absurd_swift.verdict(
            t.state, r.state, r.claimed_by = $1 and r.started_at = i.token
          )
        end as answer
      from (
        select x.ordinality::integer as position, x.run_id, x.token, x.action
        from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::boolean[])
          with ordinality x(run_id, token, action, answered, ordinality)
        where not x.answered
      ) i
      left join absurd.%1$I r on r.run_id = i.run_id
      left join absurd.%2$I t on t.task_id = r.task_id
    ) v
    $sql$,
    'r_' || p_queue, 't_' || p_queue
  ) using p_worker, p_runs, p_tokens, p_actions, p_answered;
end;
$$;

-- Lock the runs that pass the fence by run_id; with p_wait = false only those free, with their tasks.
create or replace function absurd_swift.lock_claims(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_wait boolean
)
  returns void
  language plpgsql
as $$
begin
  execute format($sql$
    select count(*) from (
      select 1
      from unnest($2::uuid[], $3::timestamptz[]) i(run_id, token)
      join absurd.%1$I r on r.run_id = i.run_id
      %2$s
      where (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %3$s
    ) l
    $sql$,
    'r_' || p_queue, absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait)
  ) using p_worker, p_runs, p_tokens;
end;
$$;

-- The two pieces by which statements that lock claims differ. Waiting, tasks are locked after the runs,
-- by their own update; skipping, a run whose task is locked must not be taken in the first place.
create or replace function absurd_swift.claim_lock(p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select case when p_wait then 'for no key update of r' else 'for no key update of r, t skip locked' end
$$;

create or replace function absurd_swift.claim_task_join(p_queue text, p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select case when p_wait then '' else format('join absurd.%I t on t.task_id = r.task_id', 't_' || p_queue) end
$$;
