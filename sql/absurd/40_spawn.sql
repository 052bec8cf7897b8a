-- Spawning tasks and reading their results.

-- Spawn a task with its first run, due at once; with an idempotency key that a task of the queue holds
-- already, find that task instead, whatever its name and state.
--
-- Options: headers, retry_strategy, max_attempts (null: unlimited), cancellation, idempotency_key.
-- Unknown keys are ignored.
--
-- Locks: with a key, the key's index entry until the end of the transaction: a second spawn with the same
-- key waits. In a partitioned queue the registry row of an existing key (for key share).
-- Returns one row: the ids, the attempt and whether the task is new.
-- Raises P0001 for a blank name, a limit below 1 or an invalid cancellation policy; AB003 for an invalid
-- retry strategy; 22P02 for a malformed number; 40001 when the key is being cleaned up (partitioned).
create or replace function absurd.spawn_task(
  p_queue_name text,
  p_task_name text,
  p_params jsonb,
  p_options jsonb default '{}'
)
  returns table (task_id uuid, run_id uuid, attempt integer, created boolean)
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_task_id uuid;
  v_run_id uuid;
  v_retry_strategy jsonb := p_options -> 'retry_strategy';
  v_cancellation jsonb := p_options -> 'cancellation';
  v_max_attempts integer;
  v_key text := p_options ->> 'idempotency_key';
  v_partitioned boolean := false;
  v_cancel_at timestamptz;
  v_inserted bigint;
begin
  if p_task_name is null or btrim(p_task_name) = '' then
    raise exception 'task name must not be blank (queue "%")', p_queue_name;
  end if;

  v_max_attempts := (p_options ->> 'max_attempts')::integer;

  if v_max_attempts < 1 then
    raise exception 'max_attempts of task "%" must be 1 or more, not %', p_task_name, v_max_attempts;
  end if;

  if v_retry_strategy is not null then
    perform absurd.retry_delay_seconds(v_retry_strategy, 1);
  end if;

  if v_cancellation is not null then
    perform absurd.check_cancellation(v_cancellation);
    v_cancel_at := absurd.cancellation_deadline(v_cancellation, v_now, null);
  end if;

  v_task_id := absurd.portable_uuidv7();
  v_run_id := absurd.portable_uuidv7();

  if v_key is not null then
    v_partitioned := coalesce(
      (select q.storage_mode = 'partitioned' from absurd.queues q where q.queue_name = p_queue_name),
      false);

    if v_partitioned then
      execute format(
        'insert into absurd.%I (idempotency_key, task_id) values ($1, $2) on conflict do nothing',
        'i_' || p_queue_name)
        using v_key, v_task_id;
      get diagnostics v_inserted = row_count;

      if v_inserted = 0 then
        return query select * from absurd.find_registered_task(p_queue_name, v_key);
        return;
      end if;
    end if;
  end if;

  loop
    execute format($q$
      with task as (
        insert into absurd.%1$I (
          task_id, task_name, params, headers, retry_strategy, max_attempts, cancellation,
          enqueue_at, state, attempts, last_attempt_run, idempotency_key)
        values ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', 1, $9, $10)
            on conflict do nothing
        returning task_id
      )
      insert into absurd.%2$I (run_id, task_id, attempt, state, available_at, created_at, cancel_at)
      select $9, task_id, 1, 'pending', $8, $8, $11
        from task
      $q$, 't_' || p_queue_name, 'r_' || p_queue_name)
      using v_task_id, p_task_name, coalesce(p_params, 'null'), p_options -> 'headers',
        v_retry_strategy, v_max_attempts, v_cancellation, v_now, v_run_id, v_key, v_cancel_at;
    get diagnostics v_inserted = row_count;

    if v_inserted = 1 then
      return query select v_task_id, v_run_id, 1, true;
      return;
    end if;

    return query execute format($q$
      select t.task_id, t.last_attempt_run, t.attempts, false
        from absurd.%I t
       where t.idempotency_key = $1
      $q$, 't_' || p_queue_name)
      using v_key;

    if found then
      return;
    end if;
    -- The task that held the key was deleted between the two statements: the key is free again.
  end loop;
end;
$$;

-- Find the task that holds an idempotency key of a partitioned queue.
--
-- Locks: the registry row (for key share), so that cleanup cannot take the task away meanwhile.
-- Returns the row that spawn_task answers for an existing task.
-- Raises 40001 when cleanup has removed the key or the task; P0001 when the task has no run.
create or replace function absurd.find_registered_task(p_queue_name text, p_key text)
  returns table (task_id uuid, run_id uuid, attempt integer, created boolean)
  language plpgsql
as $$
declare
  v_task_id uuid;
begin
  execute format(
    'select i.task_id from absurd.%I i where i.idempotency_key = $1 for key share',
    'i_' || p_queue_name)
    into v_task_id
    using p_key;

  execute format($q$
    select t.task_id, t.last_attempt_run, t.attempts, false
      from absurd.%I t
     where t.task_id = $1
    $q$, 't_' || p_queue_name)
    into task_id, run_id, attempt, created
    using v_task_id;

  if task_id is null then
    raise exception 'idempotency key "%" of queue "%" is being cleaned up', p_key, p_queue_name
      using errcode = '40001', hint = 'Spawn again with the same key.';
  end if;

  if run_id is null then
    raise exception 'task % of queue "%" has no run', task_id, p_queue_name;
  end if;

  return next;
end;
$$;

-- Read a task's state with its result or failure.
--
-- Locks: none.
-- Returns one row, none for an unknown task. The result is NULL unless completed, the failure reason
-- (of the last run) NULL unless failed.
-- Raises P0001 for an invalid queue name.
create or replace function absurd.get_task_result(p_queue_name text, p_task_id uuid)
  returns table (task_id uuid, state text, result jsonb, failure_reason jsonb)
  language plpgsql
as $$
begin
  perform absurd.validate_queue_name(p_queue_name);

  return query execute format($q$
    select t.task_id,
           t.state,
           case when t.state = 'completed' then t.completed_payload end,
           case when t.state = 'failed' then r.failure_reason end
      from absurd.%1$I t
      left join absurd.%2$I r on r.run_id = t.last_attempt_run and t.state = 'failed'
     where t.task_id = $1
    $q$, 't_' || p_queue_name, 'r_' || p_queue_name)
    using p_task_id;
end;
$$;
