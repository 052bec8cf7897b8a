-- Emitting events.

-- Emit an event and wake everybody who waits for it. Only the first emission of a name counts; later
-- ones do nothing.
--
-- Locks: the event row; the runs to wake, in run_id order, waiting for those that others hold; their
-- tasks; their checkpoints and waits. Waits whose deadline has passed are deleted unless somebody else is
-- doing so: their runs are due anyway.
-- Raises P0001 for a blank event name.
create or replace function absurd.emit_event(
  p_queue_name text,
  p_event_name text,
  p_payload jsonb default null
)
  returns void
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set jit = off
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_payload jsonb := coalesce(p_payload, 'null');
  v_is_first bigint;
  v_runs uuid[];
begin
  if p_event_name is null or btrim(p_event_name) = '' then
    raise exception 'event name must not be blank (queue "%")', p_queue_name;
  end if;

  execute format($q$
    insert into absurd.%I as e (event_name, payload, emitted_at)
    values ($1, $2, $3)
        on conflict (event_name) do update
       set payload = excluded.payload,
           emitted_at = excluded.emitted_at
     where e.payload is null
    $q$, 'e_' || p_queue_name)
    using p_event_name, v_payload, v_now;
  get diagnostics v_is_first = row_count;

  if v_is_first = 0 then
    return;
  end if;

  execute format($q$
    with expired as materialized (
      select w.run_id, w.step_name
        from absurd.%1$I w
       where w.event_name = $1
         and w.timeout_at <= $2
         for update skip locked
    )
    delete from absurd.%1$I w
     using expired x
     where w.run_id = x.run_id
       and w.step_name = x.step_name
    $q$, 'w_' || p_queue_name)
    using p_event_name, v_now;

  execute format($q$
    select array_agg(w.run_id)
      from absurd.%I w
     where w.event_name = $1
       and (w.timeout_at is null or w.timeout_at > $2)
    $q$, 'w_' || p_queue_name)
    into v_runs
    using p_event_name, v_now;

  if v_runs is null then
    return;
  end if;

  perform absurd.lock_runs(p_queue_name, v_runs, false);

  -- Waits and states are read again: while a run's lock was awaited it may have gone on, even to another
  -- event. Now that the event row and the runs are locked, nothing of this changes any more.
  execute format($q$
    with waits as materialized (
      select w.run_id, w.step_name, w.task_id
        from absurd.%1$I w
        join absurd.%2$I r on r.run_id = w.run_id
       where w.run_id = any ($1)
         and w.event_name = $2
         and (w.timeout_at is null or w.timeout_at > $4)
         and r.state = 'sleeping'
    ), run as (
      update absurd.%2$I r
         set state = 'pending',
             available_at = $4,
             wake_event = null,
             event_payload = $3,
             claimed_by = null,
             claim_expires_at = null
       where r.run_id in (select x.run_id from waits x)
    ), task as (
      update absurd.%3$I t
         set state = 'pending'
       where t.task_id in (select x.task_id from waits x)
    ), checkpoint as (
      insert into absurd.%4$I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
      select x.task_id, x.step_name, $3, 'committed', x.run_id, $4
        from waits x
          on conflict (task_id, checkpoint_name) do update
         set state = excluded.state,
             status = excluded.status,
             owner_run_id = excluded.owner_run_id,
             updated_at = excluded.updated_at
    )
    delete from absurd.%1$I w
     using waits x
     where w.run_id = x.run_id
       and w.step_name = x.step_name
    $q$, 'w_' || p_queue_name, 'r_' || p_queue_name, 't_' || p_queue_name, 'c_' || p_queue_name)
    using v_runs, p_event_name, v_payload, v_now;
end;
$$;
