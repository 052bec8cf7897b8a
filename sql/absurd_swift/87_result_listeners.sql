-- Programs that wait for the results of tasks, so that they need not ask again and again.
--
-- A hint, never the truth: a listener asks now and then all the same, because workers of other SDKs tell
-- nobody. Unlogged: after a crash of the server the listeners find out by asking.

create unlogged table if not exists absurd_swift.result_listeners (
  task_queue text not null,
  task_id uuid not null,
  channel text not null,
  primary key (task_queue, task_id, channel)
);

-- Whether p_channel can be notified, and is not one of those on which idle workers are told of work.
--
-- pg_notify raises for the others, in the statement that ends a task: it would never end.
create or replace function absurd_swift.is_result_channel(p_channel text)
  returns boolean
  language sql
  immutable
as $$
  select (octet_length(p_channel) between 1 and 63 and p_channel not like 'wake:%') is true
$$;

-- Tables of earlier versions have no such constraint, and may have such rows.
do $$
begin
  if not exists (
    select from pg_catalog.pg_constraint c
    where c.conrelid = 'absurd_swift.result_listeners'::regclass and c.conname = 'result_listeners_channel_check'
  ) then
    delete from absurd_swift.result_listeners l where not absurd_swift.is_result_channel(l.channel);
    alter table absurd_swift.result_listeners add constraint result_listeners_channel_check
      check (octet_length(channel) between 1 and 63 and channel not like 'wake:%') not valid;
  end if;
end;
$$;

-- How tasks stand, and a notification of p_channel when those that have not ended do; p_channel NULL only
-- looks. The payload is the task's id.
--
-- Answers per row: the state with result or failure once it has ended; registered; state NULL: no such task. A
-- task that somebody is just changing is not registered: ask again.
--
-- Locks: the tasks' rows, shared, SKIP LOCKED. Whoever ends a task looks for listeners in a statement after
-- it changed that row, so it either is seen here or sees the registration.
-- Raises 42P01 for an unknown queue, 22023 for a channel that is not one of is_result_channel.
create or replace function absurd_swift.task_results(p_queue text, p_tasks uuid[], p_channel text default null)
  returns table("position" integer, state text, result text, failure text, registered boolean)
  language plpgsql
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
declare
  v_locked uuid[];
begin
  if p_channel is not null then
    if not absurd_swift.is_result_channel(p_channel) then
      raise exception 'a channel has 1 to 63 bytes and does not begin with "wake:"' using errcode = '22023';
    end if;
    execute format($sql$
      select array_agg(l.task_id)
      from (select distinct x.task_id from unnest($1) x(task_id) order by x.task_id) i
      cross join lateral (
        select t.task_id
        from absurd.%1$I t
        where t.task_id = i.task_id and t.state in ('pending', 'running', 'sleeping')
        for share skip locked
      ) l
      $sql$,
      't_' || p_queue
    ) into v_locked using p_tasks;
    insert into absurd_swift.result_listeners (task_queue, task_id, channel)
    select p_queue, x.task_id, p_channel from unnest(v_locked) x(task_id) order by x.task_id
    on conflict do nothing;
  end if;
  return query execute format($sql$
    select i.ordinality::integer, t.state,
      case when t.state = 'completed' then t.completed_payload::text end,
      case when t.state = 'failed' then r.failure_reason::text end,
      t.task_id = any ($2)
    from unnest($1) with ordinality i(task_id, ordinality)
    left join absurd.%1$I t on t.task_id = i.task_id
    left join absurd.%2$I r on r.run_id = t.last_attempt_run
    $sql$,
    't_' || p_queue, 'r_' || p_queue
  ) using p_tasks, coalesce(v_locked, '{}');
end;
$$;

-- After tasks ended: tell who listens for their results. Must be a statement after the one that changed
-- the task rows. Never raises for a channel, whoever has registered it and how: see is_result_channel.
--
-- Locks: the registrations, SKIP LOCKED: one that is locked is being told by somebody else.
create or replace function absurd_swift.notify_results(p_queue text, p_tasks uuid[])
  returns void
  language plpgsql
as $$
declare
  v_listener record;
begin
  if p_tasks is null
    or not exists (select from absurd_swift.result_listeners l where l.task_queue = p_queue)
  then
    return;
  end if;
  for v_listener in
    with x as materialized (
      select l.task_id, l.channel
      from absurd_swift.result_listeners l
      -- Not "any (p_tasks)" itself, with which all of many registrations are compared with each of many tasks.
      where l.task_queue = p_queue and l.task_id = any (array(select x.task_id from unnest(p_tasks) x(task_id)))
      for update skip locked
    )
    delete from absurd_swift.result_listeners l
    using x
    where l.task_queue = p_queue and l.task_id = x.task_id and l.channel = x.channel
    returning l.channel, l.task_id
  loop
    continue when not absurd_swift.is_result_channel(v_listener.channel);
    perform pg_notify(v_listener.channel, v_listener.task_id::text);
  end loop;
end;
$$;
