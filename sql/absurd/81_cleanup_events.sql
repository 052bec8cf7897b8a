-- Deleting old events, and cleaning up all queues by their policies.

-- Delete events emitted more than p_ttl_seconds ago, oldest first, and placeholders that nobody waits for
-- any more; at most p_limit rows (NULL: all).
--
-- Locks: the event rows; locked ones are skipped, among them those that await_event is looking at.
-- Returns the number of rows deleted.
-- Raises P0001 for a NULL or negative TTL; 2201W for a negative limit.
create or replace function absurd.cleanup_events(
  p_queue_name text,
  p_ttl_seconds integer,
  p_limit integer default 1000
)
  returns integer
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set enable_sort = off
  set jit = off
as $$
declare
  v_before timestamptz;
  v_names text[];
  v_deleted bigint;
begin
  perform absurd.check_ttl(p_queue_name, p_ttl_seconds);
  v_before := absurd.current_time() - make_interval(secs => p_ttl_seconds);

  execute format($q$
    with old as materialized (
      select e.event_name
        from absurd.%1$I e
       where e.emitted_at < $1
         and (e.payload is not null
           or not exists (select from absurd.%2$I w where w.event_name = e.event_name))
       order by e.emitted_at
       limit $2
         for update of e skip locked
    )
    select array_agg(o.event_name) from old o
    $q$, 'e_' || p_queue_name, 'w_' || p_queue_name)
    into v_names
    using v_before, p_limit;

  -- The waits are read again now that the rows are locked: an await that ended in between has registered.
  execute format($q$
    delete from absurd.%1$I e
     where e.event_name = any ($1)
       and (e.payload is not null
         or not exists (select from absurd.%2$I w where w.event_name = e.event_name))
    $q$, 'e_' || p_queue_name, 'w_' || p_queue_name)
    using v_names;
  get diagnostics v_deleted = row_count;

  return v_deleted;
end;
$$;

-- Clean up one queue, or all in the order of their names, by their policies: one batch of tasks and one of
-- events each, of cleanup_limit rows, older than cleanup_ttl.
--
-- Locks: those of cleanup_tasks and cleanup_events.
-- Returns one row per queue with the numbers deleted.
-- Raises P0001 when a queue is named that is invalid or unknown.
create or replace function absurd.cleanup_all_queues(p_queue_name text default null)
  returns table (queue_name text, tasks_deleted integer, events_deleted integer)
  language plpgsql
as $$
declare
  v_queue record;
  v_ttl integer;
begin
  perform absurd.check_named_queue(p_queue_name);

  for v_queue in
    select q.queue_name, q.cleanup_ttl, q.cleanup_limit
      from absurd.queues q
     where p_queue_name is null
        or q.queue_name = p_queue_name
     order by q.queue_name
  loop
    v_ttl := least(floor(extract(epoch from v_queue.cleanup_ttl)), 2147483647);
    queue_name := v_queue.queue_name;
    tasks_deleted := absurd.cleanup_tasks(v_queue.queue_name, v_ttl, v_queue.cleanup_limit);
    events_deleted := absurd.cleanup_events(v_queue.queue_name, v_ttl, v_queue.cleanup_limit);
    return next;
  end loop;
end;
$$;

-- Check the queue that a maintenance function is limited to; NULL stands for all queues.
--
-- Locks: none.
-- Raises P0001 when it is invalid or unknown.
create or replace function absurd.check_named_queue(p_queue_name text)
  returns void
  language plpgsql
as $$
begin
  if p_queue_name is null then
    return;
  end if;

  perform absurd.validate_queue_name(p_queue_name);

  if not exists (select from absurd.queues q where q.queue_name = p_queue_name) then
    raise exception 'queue "%" not found', p_queue_name;
  end if;
end;
$$;
