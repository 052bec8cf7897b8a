-- The rows of finish whose action is sleep or release: the run goes back, its attempt unspent.
create or replace function absurd_swift.finish_park(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_payloads text[],
  p_steps text[],
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
begin
  return query execute format($sql$
    with p as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, x.action,
        case when x.action = 'sleep' then x.step end as step, j.value,
        case when x.action = 'release' then $9
          else coalesce(x.wake_at, $9 + make_interval(secs => x.delay)) end as due,
        j.sqlstate, j.message
      from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
          $7::timestamptz[], $8::double precision[])
        with ordinality x(run_id, token, action, payload, step, wake_at, delay, ordinality)
      %6$s
      where x.action in ('sleep', 'release')
    ),
    i as materialized (
      select p.position, p.run_id, p.token, p.action, p.step, p.value, p.due,
        case
          when p.due is null then 'AS003'
          when btrim(p.step) = '' then 'AS004'
          else p.sqlstate
        end as sqlstate,
        case
          when p.due is null then 'sleep needs a time or a delay'
          when btrim(p.step) = '' then 'the step name is blank'
          else p.message
        end as message
      from p
    ),
    l as materialized (
      select i.position, r.run_id, r.task_id, i.action, i.step, i.value, i.due
      from i
      join absurd.%1$I r on r.run_id = i.run_id
      %4$s
      where i.sqlstate is null
        and (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %5$s
    ),
    c as (
      insert into absurd.%3$I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select l.task_id, l.step, l.value, 'committed', l.run_id, $9
      from l
      where l.step is not null
      on conflict do nothing
    ),
    u as (
      -- Without a step the run has executed nothing: it keeps wake_event, which after a timed-out wait says
      -- that the timeout is still to be told. Named in any case, since triggers watch that column.
      update absurd.%1$I r
      set state = case when l.action = 'sleep' then 'sleeping' else 'pending' end,
          claimed_by = null,
          claim_expires_at = null,
          available_at = l.due,
          wake_event = case when l.step is null then r.wake_event end
      from l
      where r.run_id = l.run_id
    ),
    s as (
      update absurd.%2$I t
      set state = case when l.action = 'sleep' then 'sleeping' else 'pending' end
      from l
      where t.task_id = l.task_id
    )
    select l.position, 'done', case when l.action = 'sleep' then 'sleeping' else 'pending' end,
      null::text, null::text, l.task_id
    from l
    union all
    select i.position, 'refused', null, i.sqlstate, i.message, null from i where i.sqlstate is not null
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue,
    absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait),
    absurd_swift.json_join(
      'case when x.action = ''sleep'' and x.step is not null then x.payload end', p_careful
    )
  ) using p_worker, p_runs, p_tokens, p_actions, p_payloads, p_steps, p_wake_at, p_delays, p_now;
end;
$$;
