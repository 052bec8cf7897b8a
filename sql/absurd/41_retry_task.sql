-- Retrying failed tasks by hand.

-- Give a failed task one more run, due at once, or spawn a copy of it.
--
-- Options: max_attempts; spawn_new (boolean). In place the limit becomes max_attempts or one more than
-- before; an unlimited task becomes limited. A copy takes over name, params, headers, retry strategy,
-- cancellation policy and limit, but neither checkpoints nor the idempotency key.
--
-- Locks: the task row.
-- Returns one row: the ids, the attempt and whether a new task was made.
-- Raises P0001 when the task is unknown or not failed or when the limit leaves no attempt; 22P02 for a
-- malformed option; AB003 when a copy would have an invalid retry strategy.
create or replace function absurd.retry_task(
  p_queue_name text,
  p_task_id uuid,
  p_options jsonb default '{}'
)
  returns table (task_id uuid, run_id uuid, attempt integer, created boolean)
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_spawn_new boolean := coalesce((p_options ->> 'spawn_new')::boolean, false);
  v_max_attempts integer := (p_options ->> 'max_attempts')::integer;
  v_task record;
begin
  if v_max_attempts < 1 then
    raise exception 'max_attempts of task % must be 1 or more, not %', p_task_id, v_max_attempts;
  end if;

  execute format('select t.* from absurd.%I t where t.task_id = $1 for update', 't_' || p_queue_name)
    into v_task
    using p_task_id;

  if v_task.task_id is null then
    raise exception 'task % not found in queue "%"', p_task_id, p_queue_name;
  end if;

  if v_task.state <> 'failed' then
    raise exception 'task % of queue "%" is %, only a failed task can be retried',
      p_task_id, p_queue_name, v_task.state;
  end if;

  if v_spawn_new then
    -- Only options that are set: null is no retry strategy.
    return query
      select s.*
        from absurd.spawn_task(p_queue_name, v_task.task_name, v_task.params, (
          select jsonb_object_agg(o.key, o.value)
            from jsonb_each(jsonb_build_object(
              'headers', v_task.headers,
              'retry_strategy', v_task.retry_strategy,
              'cancellation', v_task.cancellation,
              'max_attempts', coalesce(v_max_attempts, v_task.max_attempts))) as o
           where o.value <> 'null')) as s;
    return;
  end if;

  v_max_attempts := coalesce(v_max_attempts, coalesce(v_task.max_attempts, v_task.attempts) + 1);

  if v_max_attempts <= v_task.attempts then
    raise exception 'max_attempts % of task % must be greater than current attempts %',
      v_max_attempts, p_task_id, v_task.attempts;
  end if;

  run_id := absurd.portable_uuidv7();
  attempt := v_task.attempts + 1;

  execute format($q$
    insert into absurd.%I (run_id, task_id, attempt, state, available_at, created_at, cancel_at)
    values ($1, $2, $3, 'pending', $4, $4, $5)
    $q$, 'r_' || p_queue_name)
    using run_id, p_task_id, attempt, v_now,
      absurd.cancellation_deadline(v_task.cancellation, v_task.enqueue_at, v_task.first_started_at);

  execute format($q$
    update absurd.%I t
       set state = 'pending',
           attempts = $2,
           max_attempts = $3,
           last_attempt_run = $4,
           cancelled_at = null
     where t.task_id = $1
    $q$, 't_' || p_queue_name)
    using p_task_id, attempt, v_max_attempts, run_id;

  task_id := p_task_id;
  created := false;
  return next;
end;
$$;
