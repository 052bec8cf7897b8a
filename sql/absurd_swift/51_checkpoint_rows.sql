-- checkpoint without isolation: fails as a whole if a value cannot be written or, unless p_careful, if
-- one cannot be cast.
--
-- One statement writes and reports what it stored; a second one, rarely needed, answers the rest. (A
-- join of the rows with what was inserted would be quadratic without hash and merge joins; grouping
-- is not.)
create or replace function absurd_swift.checkpoint_rows(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_states text[],
  p_claim_timeouts integer[],
  p_wait boolean,
  p_careful boolean
)
  returns table(
    "position" integer, answer text, state text, claim_expires_at timestamptz, sqlstate text, message text
  )
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_answered boolean[] := array_fill(false, array[cardinality(p_runs)]);
begin
  for "position", answer, claim_expires_at, sqlstate, message in execute coalesce(
    case when p_wait and not p_careful then absurd_swift.planned_call('step', p_queue, 7) end,
    absurd_swift.checkpoint_statement(p_queue, p_wait, p_careful)
  ) using p_worker, p_runs, p_tokens, p_steps, p_states, p_claim_timeouts, absurd.current_time()
  loop
    v_answered["position"] := true;
    return next;
  end loop;

  if false = any (v_answered) then
    return query select * from absurd_swift.checkpoint_rest(
      p_queue, p_worker, p_runs, p_tokens, p_steps, v_answered
    );
  end if;
end;
$$;

-- The statement that writes, for worker $1 at $7, the steps $4 with states $5 of the runs $2 with tokens $3,
-- and renews their claims by the seconds $6.
create or replace function absurd_swift.checkpoint_statement(p_queue text, p_wait boolean, p_careful boolean)
  returns text
  language plpgsql
  immutable
as $$
begin
  return format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, x.step, j.value,
        max(x.timeout) over (partition by x.run_id) as timeout,
        case when coalesce(btrim(x.step), '') = '' then 'AS004' else j.sqlstate end as sqlstate,
        case when coalesce(btrim(x.step), '') = '' then 'the step name is blank' else j.message end
          as message
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::integer[])
        with ordinality x(run_id, token, step, state, timeout, ordinality)
      %4$s
    ),
    l as materialized (
      select i.position, r.run_id, r.task_id, i.step, i.value, r.claim_expires_at,
        absurd_swift.renewed_expiry(r.claim_expires_at, $7, i.timeout) as renewed
      from i
      join absurd.%1$I r on r.run_id = i.run_id
      where i.sqlstate is null
        and (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      for no key update of r %3$s
    ),
    u as (
      update absurd.%1$I r
      set claim_expires_at = l.renewed
      from l
      where r.run_id = l.run_id and l.renewed > l.claim_expires_at
    ),
    c as (
      insert into absurd.%2$I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select l.task_id, l.step, l.value, 'committed', l.run_id, $7
      from l
      order by l.run_id, l.position
      on conflict do nothing
      returning task_id, checkpoint_name
    ),
    g as (
      select min(m.position) as position, min(m.renewed) as renewed
      from (
        select l.task_id, l.step, l.position, l.renewed, false as stored from l
        union all
        select c.task_id, c.checkpoint_name, null, null, true from c
      ) m
      group by m.task_id, m.step
      having bool_or(m.stored)
    )
    select g.position, 'stored', g.renewed, null, null from g
    union all
    select i.position, 'refused', null, i.sqlstate, i.message from i where i.sqlstate is not null
    $sql$,
    'r_' || p_queue, 'c_' || p_queue, case when p_wait then '' else 'skip locked' end,
    absurd_swift.json_join('x.state', p_careful)
  );
end;
$$;

-- Answers for the rows of checkpoint that stored nothing: a value was there, or the claim is gone.
create or replace function absurd_swift.checkpoint_rest(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_answered boolean[]
)
  returns table(
    "position" integer, answer text, state text, claim_expires_at timestamptz, sqlstate text, message text
  )
  language plpgsql
as $$
begin
  return query execute format($sql$
    select v.position,
      case when v.is_kept then 'kept' else absurd_swift.verdict(v.task_state, v.run_state, v.is_claim) end,
      case when v.is_kept then v.value::text end,
      case when v.is_kept then v.claim_expires_at end,
      null::text,
      null::text
    from (
      select i.position, t.state as task_state, r.state as run_state, r.claim_expires_at, c.state as value,
        r.claimed_by = $1 and r.started_at = i.token as is_claim,
        (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token
          and c.task_id is not null) is true as is_kept
      from (
        select x.ordinality::integer as position, x.run_id, x.token, x.step
        from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::boolean[])
          with ordinality x(run_id, token, step, answered, ordinality)
        where not x.answered
      ) i
      left join absurd.%1$I r on r.run_id = i.run_id
      left join absurd.%2$I t on t.task_id = r.task_id
      left join absurd.%3$I c on c.task_id = r.task_id and c.checkpoint_name = i.step
    ) v
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue
  ) using p_worker, p_runs, p_tokens, p_steps, p_answered;
end;
$$;
