-- Look whether a queue has work, and arm this session for what comes (85_wake_ups). For a session that
-- listens to wake_channel(p_queue) already.
--
-- p_is_armed: whether this session holds the lock already.
--
-- outcome: armed; standby: another session is armed, which will hand over when it has no room; open: some
-- transaction that has made a run due is not committed yet; untriggered: nobody would notify. due_in: seconds until something has to be done
-- for a run, 0 or less when it is due now, NULL when nothing is planned. What is committed after the look
-- is notified, if armed.
--
-- Each look is a statement after the lock was taken, so it sees all that was committed without notifying.
--
-- Locks: the queue's advisory lock, for the session. Raises 42P01 for an unknown queue.
create or replace function absurd_swift.arm(
  p_queue text,
  p_is_armed boolean,
  out outcome text,
  out due_in double precision
)
  language plpgsql
  set jit = off
as $$
begin
  if not exists (
    select from pg_catalog.pg_trigger g
    where g.tgrelid = to_regclass(format('absurd.%I', 'r_' || p_queue))
      and g.tgname = 'absurd_swift_wake'
      and g.tgenabled <> 'D'
  ) then
    outcome := 'untriggered';
  elsif p_is_armed or pg_try_advisory_lock(absurd_swift.wake_class(), absurd_swift.wake_key(p_queue)) then
    outcome := 'armed';
  elsif exists (
    select from pg_catalog.pg_locks l
    where l.locktype = 'advisory'
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and l.classid = absurd_swift.wake_class()::oid
      and l.objid = absurd_swift.wake_key(p_queue)::oid
      and l.objsubid = 2
      and l.mode = 'ExclusiveLock'
      and l.granted
  ) then
    outcome := 'standby';
  else
    outcome := 'open';
  end if;
  due_in := absurd_swift.due_in(p_queue);
end;
$$;

-- Seconds until a run is due, a claim expires or a cancellation policy ends; NULL when nothing is planned.
create or replace function absurd_swift.due_in(p_queue text)
  returns double precision
  language plpgsql
  set jit = off
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_sort = off
as $$
declare
  v_due double precision;
begin
  execute coalesce(absurd_swift.planned_call('due', p_queue, 0), absurd_swift.due_in_statement(p_queue))
  into v_due;
  return v_due;
end;
$$;

create or replace function absurd_swift.due_in_statement(p_queue text)
  returns text
  language sql
  stable
as $$
  select format($sql$
    select extract(epoch from least(
      (
        select r.available_at from absurd.%1$I r
        where r.state in ('pending', 'sleeping') and r.available_at < 'infinity'
        order by r.available_at, r.run_id limit 1
      ),
      (
        select r.claim_expires_at from absurd.%1$I r
        where r.state = 'running' and r.claim_expires_at is not null
        order by r.claim_expires_at limit 1
      )
      %2$s
    ) - absurd.current_time())::double precision
    $sql$,
    'r_' || p_queue,
    case when absurd_swift.has_cancel_at(p_queue) then format($sql$,
      (
        select r.cancel_at from absurd.%1$I r
        where r.cancel_at is not null and r.state in ('pending', 'sleeping', 'running')
        order by r.cancel_at limit 1
      )$sql$, 'r_' || p_queue) else '' end
  )
$$;

-- Give up being armed, before the session's own workers go on to work.
--
-- p_hand_over: they have no room left, so another idle session is told to look and arm itself.
create or replace function absurd_swift.disarm(p_queue text, p_is_armed boolean, p_hand_over boolean)
  returns void
  language plpgsql
as $$
begin
  if p_is_armed then
    perform pg_advisory_unlock(absurd_swift.wake_class(), absurd_swift.wake_key(p_queue));
  end if;
  if p_hand_over then
    perform pg_notify(absurd_swift.wake_channel(p_queue), 'next');
  end if;
end;
$$;
