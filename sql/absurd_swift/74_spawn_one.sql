-- Spawn one task by its queue's own statement for a single row (88_planned), whose call costs three fifths of what
-- one with the statement for any number of rows costs.
--
-- Returns false, having made no task, when the queue has no such function and when anything is out of the ordinary: a
-- value at fault, a resend, a key that is taken. The statement for many rows then finds out and answers.
create or replace function absurd_swift.spawn_one(
  p_queue text,
  p_task_id uuid,
  p_run_id uuid,
  p_name text,
  p_params text,
  p_options text
)
  returns boolean
  language plpgsql
as $$
declare
  v_kind text := case when to_regclass(format('absurd.%I', 'i_' || p_queue)) is null then 'put' else 'putp' end;
  v_function regproc := to_regproc(format('absurd_swift.%I', v_kind || ':' || p_queue));
  v_now timestamptz := absurd.current_time();
  v_headers jsonb;
  v_retry_strategy jsonb;
  v_max_attempts integer;
  v_cancellation jsonb;
  v_idempotency_key text;
  v_is_made boolean;
begin
  if v_function is null or not absurd_swift.is_spawnable(p_name, p_task_id, p_run_id, v_now) then
    return false;
  end if;
  if p_options is not null then
    select o.headers, o.retry_strategy, o.max_attempts, o.cancellation, o.idempotency_key
    into v_headers, v_retry_strategy, v_max_attempts, v_cancellation, v_idempotency_key
    from absurd_swift.spawn_options(p_options) o;
  end if;
  execute 'select made from ' || v_function::text || '($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
  into v_is_made
  using p_task_id, p_run_id, p_name, coalesce(p_params, 'null')::jsonb, v_headers, v_retry_strategy, v_max_attempts,
    v_cancellation, v_idempotency_key, v_now;
  return v_is_made is true;
exception
  when data_exception or integrity_constraint_violation or program_limit_exceeded
    or sqlstate 'AB003' or sqlstate 'AS007' then
    return false;
end;
$$;

-- Whether a task can have that name and those ids, made by the caller: UUIDv7 of no more than a day away from p_now.
create or replace function absurd_swift.is_spawnable(p_name text, p_task_id uuid, p_run_id uuid, p_now timestamptz)
  returns boolean
  language plpgsql
  stable
as $$
declare
  v_first uuid := absurd_swift.uuid_at(p_now - interval '1 day');
  v_end uuid := absurd_swift.uuid_at(p_now + interval '1 day 1 ms');
begin
  return coalesce(btrim(p_name), '') <> ''
    and p_task_id >= v_first and p_task_id < v_end and get_byte(uuid_send(p_task_id), 6) >> 4 = 7
    and p_run_id >= v_first and p_run_id < v_end and get_byte(uuid_send(p_run_id), 6) >> 4 = 7;
end;
$$;

-- What earlier versions had in its place.
drop function if exists absurd_swift.put_statement(text, boolean);

-- The statement that spawns the task $1 with the first run $2, name $3, params $4, headers $5, retry strategy $6,
-- attempts $7, cancellation policy $8 and idempotency key $9 at $10. Returns no row when that made nothing.
--
-- p_is_claimed: the run is made as claim would leave it that took it at $10, for the worker $11 and $12 seconds, and is
-- returned as claim returns it.
create or replace function absurd_swift.put_statement(p_queue text, p_is_partitioned boolean, p_is_claimed boolean)
  returns text
  language plpgsql
  stable
as $$
declare
  v_has_cancel_at boolean := absurd_swift.has_cancel_at(p_queue);
  v_state text := case when p_is_claimed then 'running' else 'pending' end;
begin
  return format($sql$
    with %3$s
    a as (
      insert into absurd.%2$I (
        task_id, task_name, params, headers, retry_strategy, max_attempts, cancellation, enqueue_at,
        state, attempts, last_attempt_run, idempotency_key %7$s
      )
      select $1, $3, $4, $5, $6, $7, $8, $10, %9$L, 1, $2, $9 %8$s
      %4$s
      on conflict do nothing
      returning *
    ),
    b as (
      insert into absurd.%1$I (run_id, task_id, attempt, state, available_at, created_at %5$s %10$s)
      select $2, a.task_id, 1, %9$L, $10, $10 %6$s %11$s
      from a
      returning *
    )
    %12$s
    $sql$,
    'r_' || p_queue, 't_' || p_queue,
    case when p_is_partitioned
      -- Partitioned queues keep their keys in a registry of their own; a task whose key is there is not new.
      then format($sql$
        k as (
          insert into absurd.%I (idempotency_key, task_id)
          select $9, $1
          where $9 is not null
          on conflict do nothing
          returning task_id
        ),
        $sql$, 'i_' || p_queue)
      else '' end,
    case when p_is_partitioned then 'where $9 is null or exists (select from k)' else '' end,
    case when v_has_cancel_at then ', cancel_at' else '' end,
    case when v_has_cancel_at then format(
      ', case when $8 is not null then absurd_swift.policy_end($10, $8, %L) end',
      case when p_is_claimed then 'max_duration' else 'max_delay' end
    ) else '' end,
    case when p_is_claimed then ', first_started_at' else '' end,
    case when p_is_claimed then ', $10' else '' end,
    v_state,
    case when p_is_claimed then ', claimed_by, started_at, claim_expires_at' else '' end,
    case when p_is_claimed then ', $11, $10, case when $12 > 0 then $10 + make_interval(secs => $12) end' else '' end,
    case when p_is_claimed then '
    select b.run_id, b.task_id, b.attempt, a.task_name, a.params::text, a.retry_strategy::text, a.max_attempts,
      a.headers::text, b.wake_event, b.event_payload::text, b.started_at, b.claim_expires_at, $10, false
    from a cross join b'
    else 'select true as made from b' end
  );
end;
$$;
