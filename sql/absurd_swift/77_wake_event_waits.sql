-- After events were emitted: deliver their payloads to the runs that wait for them.
--
-- Must be a statement after the one that wrote the event rows: whoever waits registers under a share lock
-- on the event's row, so by then its wait is visible.
--
-- Locks: those of emit after the event rows.
create or replace function absurd_swift.wake_event_waits(p_queue text, p_names text[], p_now timestamptz)
  returns void
  language plpgsql
as $$
declare
  v_runs uuid[];
  v_has_late boolean;
begin
  execute coalesce(
    absurd_swift.planned_call('hear', p_queue, 2), absurd_swift.lock_waiting_runs_statement(p_queue)
  ) into v_runs, v_has_late using p_names, p_now;

  -- Seldom, and a statement that deletes costs much even when it finds nothing.
  if v_has_late then
    execute coalesce(
      absurd_swift.planned_call('late', p_queue, 2), absurd_swift.delete_late_waits_statement(p_queue)
    ) using p_names, p_now;
  end if;

  if v_runs is null then
    return;
  end if;

  -- Waits and states are read again: while a run's lock was awaited it may have gone on, even to another
  -- event. Now that the event rows and the runs are locked, nothing of this changes any more.
  execute coalesce(
    absurd_swift.planned_call('wake', p_queue, 3), absurd_swift.wake_runs_statement(p_queue)
  ) using v_runs, p_names, p_now;
end;
$$;

-- Deletes the waits for the events $1 whose deadline is before $2, unless somebody holds them.
create or replace function absurd_swift.delete_late_waits_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with x as materialized (
      select l.run_id, l.step_name
      from unnest($1) n(name)
      cross join lateral (
        select w.run_id, w.step_name
        from absurd.%1$I w
        where w.event_name = n.name and w.timeout_at <= $2
        for update skip locked
      ) l
    ),
    d as (
      delete from absurd.%1$I w using x where w.run_id = any (array[x.run_id]) and w.step_name = x.step_name
      returning 1
    )
    select count(*) from d
    $sql$,
    'w_' || p_queue
  )
$$;

-- Locks the runs that wait for the events $1 at $2, by run_id, and says whether there are waits whose deadline has passed.
-- "= any (array[...])": see wake_runs_statement.
create or replace function absurd_swift.lock_waiting_runs_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with w as materialized (
      select w.run_id, (w.timeout_at <= $2) is true as is_late
      from unnest($1) n(name)
      join absurd.%1$I w on w.event_name = any (array[n.name])
    ),
    l as materialized (
      select r.run_id
      from (select distinct w.run_id from w where not w.is_late) i
      join absurd.%2$I r on r.run_id = any (array[i.run_id])
      order by r.run_id
      for no key update of r
    )
    select (select array_agg(l.run_id) from l), exists (select from w where w.is_late)
    $sql$,
    'w_' || p_queue, 'r_' || p_queue
  )
$$;

-- Delivers the events $2 at $3 to those of the runs $1, all locked, that wait for them.
--
-- "= any (array[...])" is an equality by which no index is read in order. Where partitions were analyzed with next to
-- nothing in them, as those of the waits are again and again, the planner would else read the whole table for each call, and
-- for many runs all of it for each run, rather than look into every partition's index.
create or replace function absurd_swift.wake_runs_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with x as materialized (
      select w.run_id, w.step_name, r.task_id, e.payload
      from unnest($1) i(run_id)
      cross join lateral (
        select w.run_id, w.step_name, w.event_name, w.timeout_at from absurd.%1$I w where w.run_id = i.run_id offset 0
      ) w
      join absurd.%2$I r on r.run_id = any (array[w.run_id])
      join absurd.%5$I e on e.event_name = any (array[w.event_name])
      -- "is true" keeps this a hashed lookup; "= any" would compare each wait with each name. And one condition on all
      -- of them keeps the planner from beginning with runs or waits that seem to be few.
      where (
          w.event_name in (select n.name from unnest($2) n(name))
          and (w.timeout_at is null or w.timeout_at > $3)
          and r.state = 'sleeping'
        ) is true
    ),
    u as (
      update absurd.%2$I r
      set state = 'pending',
          available_at = $3,
          wake_event = null,
          event_payload = x.payload,
          claimed_by = null,
          claim_expires_at = null
      from x
      where r.run_id = any (array[x.run_id])
    ),
    s as (
      update absurd.%3$I t set state = 'pending' from x where t.task_id = any (array[x.task_id])
    ),
    c as (
      insert into absurd.%4$I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select x.task_id, x.step_name, x.payload, 'committed', x.run_id, $3
      from x
      on conflict (task_id, checkpoint_name) do update
      set state = excluded.state,
          status = excluded.status,
          owner_run_id = excluded.owner_run_id,
          updated_at = excluded.updated_at
    ),
    d as (
      delete from absurd.%1$I w using x where w.run_id = any (array[x.run_id]) and w.step_name = x.step_name
      returning 1
    )
    select count(*) from d
    $sql$,
    'w_' || p_queue, 'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue, 'e_' || p_queue
  )
$$;
