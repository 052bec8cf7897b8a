-- Ending a run badly.

-- Fail a run: its task gets a further attempt after the retry strategy's delay (or at p_retry_at), or
-- fails when no attempt is left, or is cancelled when the next attempt would start at or after the end
-- that its cancellation policy sets.
--
-- Locks: the run, then the task, then the run's waits, skipping those that emit_event deletes at the moment.
-- Raises AB001 when the run is cancelled, AB002 when it has failed already; P0001 when it is unknown,
-- pending or completed, or when its task is missing.
create or replace function absurd.fail_run(
  p_queue_name text,
  p_run_id uuid,
  p_reason jsonb,
  p_retry_at timestamptz default null
)
  returns void
  language plpgsql
as $$
begin
  perform absurd.fail_run_at(p_queue_name, p_run_id, p_reason, p_retry_at, absurd.current_time());
end;
$$;

-- Fail a run as of a given time, which the lease sweep shares with the claim that it precedes.
--
-- Locks and errors: those of fail_run.
create or replace function absurd.fail_run_at(
  p_queue_name text,
  p_run_id uuid,
  p_reason jsonb,
  p_retry_at timestamptz,
  p_now timestamptz
)
  returns void
  language plpgsql
as $$
declare
  v_run record;
  v_task record;
  v_due timestamptz;
  v_deadline timestamptz;
  v_state text := 'failed';
  v_next_run uuid := p_run_id;
  v_attempts integer;
begin
  execute format('select r.task_id, r.attempt, r.state from absurd.%I r where r.run_id = $1 for update',
    'r_' || p_queue_name)
    into v_run
    using p_run_id;

  if v_run.state is null or v_run.state not in ('running', 'sleeping') then
    perform absurd.raise_not_running(p_queue_name, p_run_id);
  end if;

  execute format($q$
    select t.attempts, t.max_attempts, t.retry_strategy, t.cancellation, t.enqueue_at, t.first_started_at
      from absurd.%I t
     where t.task_id = $1
       for update
    $q$, 't_' || p_queue_name)
    into v_task
    using v_run.task_id;

  if v_task.attempts is null then
    raise exception 'task % of run % not found in queue "%"', v_run.task_id, p_run_id, p_queue_name;
  end if;

  v_attempts := v_task.attempts;

  if v_task.max_attempts is null or v_run.attempt < v_task.max_attempts then
    begin
      v_due := greatest(p_now, coalesce(p_retry_at,
        p_now + make_interval(secs => absurd.retry_delay_seconds(v_task.retry_strategy, v_run.attempt))));
    exception
      -- A strategy from before strategies were checked: the task fails for good.
      when sqlstate 'AB003' then
        v_due := null;
    end;
  end if;

  if v_due is not null then
    v_deadline := absurd.cancellation_deadline(
      v_task.cancellation, v_task.enqueue_at, v_task.first_started_at);
    v_state := case when v_due > p_now then 'sleeping' else 'pending' end;

    if v_task.first_started_at is not null and v_due >= v_deadline then
      v_state := 'cancelled';
    end if;
  end if;

  execute format($q$
    update absurd.%I r
       set state = 'failed',
           failed_at = $2,
           failure_reason = $3,
           wake_event = null
     where r.run_id = $1
    $q$, 'r_' || p_queue_name)
    using p_run_id, p_now, p_reason;

  if v_state in ('pending', 'sleeping') then
    v_next_run := absurd.portable_uuidv7();
    v_attempts := greatest(v_attempts, v_run.attempt + 1);
    execute format($q$
      insert into absurd.%I (run_id, task_id, attempt, state, available_at, created_at, cancel_at)
      values ($1, $2, $3, $4, $5, $6, $7)
      $q$, 'r_' || p_queue_name)
      using v_next_run, v_run.task_id, v_run.attempt + 1, v_state, v_due, p_now, v_deadline;
  end if;

  execute format($q$
    update absurd.%I t
       set state = $2,
           attempts = $3,
           last_attempt_run = $4,
           cancelled_at = case when $2 = 'cancelled' then coalesce(t.cancelled_at, $5) else t.cancelled_at end
     where t.task_id = $1
    $q$, 't_' || p_queue_name)
    using v_run.task_id, v_state, v_attempts, v_next_run, p_now;

  execute format($q$
    with wait as materialized (
      select w.step_name
        from absurd.%1$I w
       where w.run_id = $1
         for update skip locked
    )
    delete from absurd.%1$I w
     using wait x
     where w.run_id = $1
       and w.step_name = x.step_name
    $q$, 'w_' || p_queue_name)
    using p_run_id;
end;
$$;
