-- The rows of finish whose action is fail or fail_final.
create or replace function absurd_swift.finish_fail(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_payloads text[],
  p_wake_at timestamptz[],
  p_delays double precision[],
  p_now timestamptz,
  p_wait boolean,
  p_careful boolean
)
  returns table(
    "position" integer, answer text, task_state text, sqlstate text, message text, task_id uuid
  )
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_positions integer[];
  v_runs uuid[];
  v_reasons jsonb[];
  v_due timestamptz[];
  v_final boolean[];
begin
  execute format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, j.value,
        coalesce(x.wake_at, $8 + make_interval(secs => x.delay)) as due, x.action = 'fail_final' as final
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::timestamptz[],
          $7::double precision[])
        with ordinality x(run_id, token, action, payload, wake_at, delay, ordinality)
      %4$s
      where x.action in ('fail', 'fail_final') and j.sqlstate is null
    ),
    l as materialized (
      select i.position, r.run_id, i.value, i.due, i.final
      from i
      join absurd.%1$I r on r.run_id = i.run_id
      %2$s
      where (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %3$s
    )
    select array_agg(l.position), array_agg(l.run_id), array_agg(l.value), array_agg(l.due),
      array_agg(l.final)
    from l
    $sql$,
    'r_' || p_queue, absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait),
    absurd_swift.json_join('coalesce(x.payload, ''null'')', p_careful)
  ) into v_positions, v_runs, v_reasons, v_due, v_final
  using p_worker, p_runs, p_tokens, p_actions, p_payloads, p_wake_at, p_delays, p_now;

  return query
    select v_positions[array_position(v_runs, f.run_id)], 'done', f.task_state, null::text, null::text,
      f.task_id
    from absurd_swift.fail_runs(p_queue, v_runs, v_reasons, v_due, v_final, p_now, p_wait) f;

  if not p_careful then
    return;  -- otherwise the cast would have raised
  end if;
  return query
    select x.ordinality::integer, 'refused', null::text, j.sqlstate, j.message, null::uuid
    from unnest(p_actions, p_payloads) with ordinality x(action, payload, ordinality)
    cross join lateral absurd_swift.parse_json(x.payload) j
    where x.action in ('fail', 'fail_final') and j.sqlstate is not null;
end;
$$;
