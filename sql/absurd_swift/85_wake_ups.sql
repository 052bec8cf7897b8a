-- Wake-ups: whoever makes a run due tells an idle worker, but only while there is one.
--
-- One advisory lock per queue is both flag and barrier. A session that waits for work holds it exclusively
-- ("armed"). The trigger on the run table takes it shared, for its transaction, and notifies only when that
-- fails. So while nobody is armed a spawn costs one probe and no NOTIFY, and an armed session misses
-- nothing: a spawner whose probe succeeded keeps the armer out until its run is committed and visible.
--
-- The lock is only ever tried for, never waited for: a waiting exclusive request would make every probe fail.

-- The keys of a queue's lock: pg_try_advisory_lock(class, key). Part of each queue's trigger as literals,
-- so they never change. Queues whose keys collide only notify each other in vain.
create or replace function absurd_swift.wake_class()
  returns integer
  language sql
  immutable
as $$
  select 1635148403
$$;

create or replace function absurd_swift.wake_key(p_queue text)
  returns integer
  language sql
  immutable
as $$
  select ('x' || encode(substring(sha256(convert_to(p_queue, 'UTF8')) for 4), 'hex'))::bit(32)::integer
$$;

-- The channel on which a queue's idle workers listen. Payload: '' from the trigger, 'next' from disarm.
create or replace function absurd_swift.wake_channel(p_queue text)
  returns text
  language sql
  immutable
as $$
  select 'wake:' || p_queue
$$;

create or replace function absurd_swift.notify_wake()
  returns trigger
  language plpgsql
as $$
begin
  perform pg_catalog.pg_notify(tg_argv[0], '');
  return null;
end;
$$;

-- Statements that give queues the trigger, to be run one by one, each under a short lock_timeout and again
-- if that passes: create trigger waits for writers and makes others wait behind it.
--
-- wake_event is named by every statement that makes an existing run due, or due earlier, and by none that
-- claims or ends one; so workers do not wake each other by working. absurd_swift.quiet names the queue, by its
-- key, while a statement makes runs that somebody has claimed by then. p_queue NULL: all queues.
--
-- Locks: none. Returns no row for a queue that lacks nothing.
create or replace function absurd_swift.missing_triggers(p_queue text default null)
  returns table(queue_name text, statement text)
  language sql
  stable
as $$
  select q.queue_name,
    format(
      'create %s trigger absurd_swift_wake after insert or update of wake_event on absurd.%I for each statement'
      ' when (pg_catalog.current_setting(''absurd_swift.quiet'', true) is distinct from ''%s'''
      ' and not pg_catalog.pg_try_advisory_xact_lock_shared(%s, %s))'
      ' execute function absurd_swift.notify_wake(%L)',
      -- Who finds that somebody else has just made it is content.
      case when g.oid is not null then 'or replace' else '' end,
      'r_' || q.queue_name, absurd_swift.wake_key(q.queue_name), absurd_swift.wake_class(), absurd_swift.wake_key(q.queue_name),
      absurd_swift.wake_channel(q.queue_name)
    )
  from absurd.queues q
  join pg_catalog.pg_class c on c.oid = to_regclass(format('absurd.%I', 'r_' || q.queue_name))
  left join pg_catalog.pg_trigger g on g.tgrelid = c.oid and g.tgname = 'absurd_swift_wake'
  where (p_queue is null or q.queue_name = p_queue)
    and (
      g.oid is null or g.tgenabled = 'D'
      -- Those that earlier versions made tell of quiet statements, too.
      or pg_catalog.pg_get_triggerdef(g.oid) not like '%absurd_swift.quiet%'
    )
  order by q.queue_name
$$;
