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
  return query execute coalesce(
    case when p_wait and not p_careful then absurd_swift.planned_call('done', p_queue, 6) end,
    absurd_swift.complete_statement(p_queue, p_wait, p_careful)
  ) using p_worker, p_runs, p_tokens, p_actions, p_payloads, p_now;
end;
$$;

-- The part of a statement that completes the runs of its part l, whose columns are position, run_id, token and value, as
-- far as worker $1 holds them; u is then what was completed.
-- The update follows the order of its outer rows, so it locks the runs in the order of l by itself.
-- p_now: the parameter that has the time.
create or replace function absurd_swift.complete_updates(p_queue text, p_now text)
  returns text
  language plpgsql
  immutable
as $$
begin
  return format($sql$
    u as (
      update absurd.%1$I r
      set state = 'completed', completed_at = %4$s, result = l.value
      from l
      where r.run_id = l.run_id
        and (r.state = 'running' and r.claimed_by = $1 and r.started_at = l.token) is true
      returning l.position, r.run_id, r.task_id, l.value
    ),
    s as (
      update absurd.%2$I t
      set state = 'completed', completed_payload = u.value, last_attempt_run = u.run_id
      from u
      where t.task_id = u.task_id
    ),
    w as (
      -- "= any (array[...])": see wake_runs_statement.
      delete from absurd.%3$I w using u where w.run_id = any (array[u.run_id])
    )
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue, p_now
  );
end;
$$;

-- The statement that completes those of the runs $2 with tokens $3 whose action in $4 says so, with the
-- results $5, for worker $1 at $6.
create or replace function absurd_swift.complete_statement(p_queue text, p_wait boolean, p_careful boolean)
  returns text
  language plpgsql
  immutable
as $$
begin
  return format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, j.value, j.sqlstate, j.message
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
        with ordinality x(run_id, token, action, payload, ordinality)
      %2$s
      where x.action = 'complete'
    ),
    l as materialized (%1$s),
    %3$s
    select u.position, 'done', 'completed', null::text, null::text, u.task_id from u
    union all
    select i.position, 'refused', null, i.sqlstate, i.message, null from i where i.sqlstate is not null
    $sql$,
    case
      when p_wait then 'select i.* from i where i.sqlstate is null order by i.run_id'
      else format(
        $sql$
        select i.*
        from i
        join absurd.%1$I r on r.run_id = i.run_id
        join absurd.%2$I t on t.task_id = r.task_id
        where i.sqlstate is null
          and (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
        order by r.run_id
        for no key update of r, t skip locked
        $sql$,
        'r_' || p_queue, 't_' || p_queue
      )
    end,
    absurd_swift.json_join('coalesce(x.payload, ''null'')', p_careful),
    absurd_swift.complete_updates(p_queue, '$6')
  );
end;
$$;
