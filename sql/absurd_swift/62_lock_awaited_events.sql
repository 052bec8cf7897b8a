-- Make placeholders for the events that rows may park on, and lock all of them shared, by name.
--
-- Only for rows that pass the fence and have no checkpoint, so that a lost claim leaves no placeholder.
-- Returns the names that are locked: with p_wait all of them, else those free.
create or replace function absurd_swift.lock_awaited_events(
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
  returns text[]
  language plpgsql
as $$
declare
  v_wanted text[];
  v_locked text[];
begin
  execute coalesce(
    absurd_swift.planned_call('want', p_queue, 7), absurd_swift.wanted_events_statement(p_queue)
  ) into v_wanted using p_worker, p_runs, p_tokens, p_steps, p_events, p_timeouts, p_park;

  if v_wanted is null then
    return '{}';
  end if;
  loop
    -- Only names that are not there: "on conflict" would wait for whoever is changing an existing row.
    execute coalesce(
      absurd_swift.planned_call('place', p_queue, 1), absurd_swift.place_events_statement(p_queue)
    ) using v_wanted;
    execute coalesce(
      case when p_wait then absurd_swift.planned_call('hold', p_queue, 1) end,
      absurd_swift.hold_events_statement(p_queue, p_wait)
    ) into v_locked using v_wanted;
    -- A cleanup may delete a placeholder between the two statements.
    exit when not p_wait or cardinality(v_locked) = cardinality(v_wanted);
  end loop;
  return coalesce(v_locked, '{}');
end;
$$;

-- The events of $5 for which rows that pass the fence would park.
create or replace function absurd_swift.wanted_events_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    select array_agg(distinct i.event)
    from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::double precision[], $7::boolean[])
      i(run_id, token, step, event, timeout, park)
    join absurd.%1$I r on r.run_id = i.run_id
    left join absurd.%2$I c on c.task_id = r.task_id and c.checkpoint_name = i.step
    where i.park
      and absurd_swift.is_event_wait(i.step, i.event, i.timeout)
      and (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      and c.state is null
        $sql$, 'r_' || p_queue, 'c_' || p_queue)
$$;

-- Makes placeholders for those of the events $1 that are not there.
create or replace function absurd_swift.place_events_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with n as (
      insert into absurd.%1$I (event_name, payload, emitted_at)
      select x.name, null, 'epoch'
      from unnest($1) x(name)
      where not exists (select from absurd.%1$I e where e.event_name = x.name)
      order by x.name
      on conflict do nothing
      returning 1
    )
    select count(*) from n
    $sql$, 'e_' || p_queue)
$$;

-- Locks the events $1 shared, by name.
create or replace function absurd_swift.hold_events_statement(p_queue text, p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    select array_agg(l.event_name)
    from (
      select e.event_name
      from unnest($1) x(name)
      join absurd.%1$I e on e.event_name = x.name
      order by e.event_name
      for share of e %2$s
    ) l
    $sql$, 'e_' || p_queue, case when p_wait then '' else 'skip locked' end)
$$;
