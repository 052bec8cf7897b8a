-- The rows of finish whose action is complete.
create or replace function absurd_swift.finish_complete(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_payloads text[],
  p_now timestamptz,
  p_wait boolean,
  p_careful boolean
)
  returns table(
    "position" integer, answer text, task_state text, sqlstate text, message text, task_id uuid
  )
  language plpgsql
as $$
begin
  return query execute format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, j.value, j.sqlstate, j.message
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
        with ordinality x(run_id, token, action, payload, ordinality)
      %6$s
      where x.action = 'complete'
    ),
    l as materialized (
      select i.position, r.run_id, r.task_id, i.value
      from i
      join absurd.%1$I r on r.run_id = i.run_id
      %4$s
      where i.sqlstate is null
        and (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %5$s
    ),
    u as (
      update absurd.%1$I r
      set state = 'completed', completed_at = $6, result = l.value
      from l
      where r.run_id = l.run_id
    ),
    s as (
      update absurd.%2$I t
      set state = 'completed', completed_payload = l.value, last_attempt_run = l.run_id
      from l
      where t.task_id = l.task_id
    ),
    w as (
      delete from absurd.%3$I w using l where w.run_id = l.run_id
    )
    select l.position, 'done', 'completed', null::text, null::text, l.task_id from l
    union all
    select i.position, 'refused', null, i.sqlstate, i.message, null from i where i.sqlstate is not null
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue,
    absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait),
    absurd_swift.json_join('coalesce(x.payload, ''null'')', p_careful)
  ) using p_worker, p_runs, p_tokens, p_actions, p_payloads, p_now;
end;
$$;
