-- Waiting for events.

-- Wait for an event in a step of a running run. Answers with the payload when the step has it already or
-- the event was emitted; with SQL NULL when the wait has timed out; otherwise suspends the run until the
-- event or the deadline (p_timeout seconds from now, NULL: none).
--
-- Locks: the event row (for share), which is made as a placeholder when the event was not emitted yet:
-- emit_event writes that row, so it comes either before this function has looked or after the wait is
-- registered, and never in between. Then the run, the task, the checkpoint or wait row. An answer from the
-- step's checkpoint locks nothing.
-- Returns one row: whether the run was suspended, and the payload.
-- Raises AB001 when the task is cancelled; P0001 when the run is unknown, not running or of another
-- task, for a blank event name and for a negative timeout.
create or replace function absurd.await_event(
  p_queue_name text,
  p_task_id uuid,
  p_run_id uuid,
  p_step_name text,
  p_event_name text,
  p_timeout integer default null
)
  returns table (should_suspend boolean, payload jsonb)
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_run record;
begin
  if p_event_name is null or btrim(p_event_name) = '' then
    raise exception 'event name must not be blank (run %)', p_run_id;
  end if;

  if p_timeout < 0 then
    raise exception 'timeout must be 0 or more, not % (run %)', p_timeout, p_run_id;
  end if;

  should_suspend := false;

  execute format('select c.state from absurd.%I c where c.task_id = $1 and c.checkpoint_name = $2',
    'c_' || p_queue_name)
    into payload
    using p_task_id, p_step_name;

  if payload is not null then
    return next;
    return;
  end if;

  payload := absurd.lock_event(p_queue_name, p_event_name);

  execute format($q$
    select r.state, r.wake_event, r.event_payload, t.task_id, t.state as task_state
      from absurd.%1$I r
      join absurd.%2$I t on t.task_id = r.task_id
     where r.run_id = $1
       for update of r, t
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_run
    using p_run_id;

  if v_run.task_id <> p_task_id then
    raise exception 'run % does not belong to task % (queue "%")', p_run_id, p_task_id, p_queue_name;
  end if;

  if v_run.task_state = 'cancelled' then
    raise exception 'task % of queue "%" was cancelled', p_task_id, p_queue_name
      using errcode = 'AB001';
  end if;

  if v_run.state is distinct from 'running' then
    raise exception 'run % of queue "%" is not currently running', p_run_id, p_queue_name;
  end if;

  if payload is not null then
    perform absurd.receive_event(p_queue_name, p_task_id, p_run_id, p_step_name, payload, v_now);
  elsif v_run.wake_event = p_event_name and v_run.event_payload is null then
    -- Claimed again with the event's name still on the run: the deadline passed.
    execute format('update absurd.%I r set wake_event = null where r.run_id = $1', 'r_' || p_queue_name)
      using p_run_id;
  else
    perform absurd.suspend_for_event(p_queue_name, p_task_id, p_run_id, p_step_name, p_event_name,
      v_now + make_interval(secs => p_timeout), v_now);
    should_suspend := true;
  end if;

  return next;
end;
$$;

-- Lock an event's row, making a placeholder when there is none.
--
-- Locks: the event row (for share).
-- Returns the event's payload, SQL NULL when it was not emitted yet.
create or replace function absurd.lock_event(p_queue_name text, p_event_name text)
  returns jsonb
  language plpgsql
as $$
declare
  v_event record;
begin
  loop
    execute format('select e.event_name, e.payload from absurd.%I e where e.event_name = $1 for share',
      'e_' || p_queue_name)
      into v_event
      using p_event_name;

    if v_event.event_name is not null then
      return v_event.payload;
    end if;

    -- Cleanup may delete the placeholder before it is locked; then the next round makes it again.
    execute format($q$
      insert into absurd.%I (event_name, payload, emitted_at)
      values ($1, null, timestamptz '1970-01-01 00:00:00+00')
          on conflict (event_name) do nothing
      $q$, 'e_' || p_queue_name)
      using p_event_name;
  end loop;
end;
$$;

-- Give a running run the payload of an event, as the checkpoint of the awaiting step.
--
-- Locks: the run, which the caller holds already; the checkpoint.
create or replace function absurd.receive_event(
  p_queue_name text,
  p_task_id uuid,
  p_run_id uuid,
  p_step_name text,
  p_payload jsonb,
  p_now timestamptz
)
  returns void
  language plpgsql
as $$
begin
  execute format($q$
    update absurd.%I r
       set event_payload = null
     where r.run_id = $1
       and r.event_payload is not null
    $q$, 'r_' || p_queue_name)
    using p_run_id;

  execute format($q$
    insert into absurd.%I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
    values ($1, $2, $3, 'committed', $4, $5)
        on conflict (task_id, checkpoint_name) do update
       set state = excluded.state,
           status = excluded.status,
           owner_run_id = excluded.owner_run_id,
           updated_at = excluded.updated_at
    $q$, 'c_' || p_queue_name)
    using p_task_id, p_step_name, p_payload, p_run_id, p_now;
end;
$$;

-- Register a wait and put its run and task to sleep until the deadline, without one until the event.
--
-- Locks: the run and the task, which the caller holds already; the wait.
create or replace function absurd.suspend_for_event(
  p_queue_name text,
  p_task_id uuid,
  p_run_id uuid,
  p_step_name text,
  p_event_name text,
  p_deadline timestamptz,
  p_now timestamptz
)
  returns void
  language plpgsql
as $$
begin
  execute format($q$
    with run as (
      update absurd.%1$I r
         set state = 'sleeping',
             claimed_by = null,
             claim_expires_at = null,
             available_at = coalesce($5, 'infinity'),
             wake_event = $4,
             event_payload = null
       where r.run_id = $2
      returning r.task_id
    ), task as (
      update absurd.%2$I t
         set state = 'sleeping'
        from run
       where t.task_id = run.task_id
    )
    insert into absurd.%3$I (task_id, run_id, step_name, event_name, timeout_at, created_at)
    values ($1, $2, $3, $4, $5, $6)
        on conflict (run_id, step_name) do update
       set event_name = excluded.event_name,
           timeout_at = excluded.timeout_at,
           created_at = excluded.created_at
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name, 'w_' || p_queue_name)
    using p_task_id, p_run_id, p_step_name, p_event_name, p_deadline, p_now;
end;
$$;
