-- Spawn one task whose first run its spawner's own worker has claimed by then: one statement, one commit and one version of
-- each row for what else takes two. For a worker that has nothing to do, since the run passes by those that are due.
--
-- The rows are left as spawn and a claim at the same moment would leave them. Nobody is notified. The registry is not told
-- that the worker has a run now, as it is by claim: its row would be locked until the disk and the standbys have the commit,
-- and with it the beats of its process. The next beat says so.
--
-- Returns the run as claim does, or no row, having made no task, when something is out of the ordinary: the queue has no
-- such statement, a resend, a key that is taken, an id or a name that cannot be. spawn then finds out and answers.
--
-- Locks: those of spawn; the worker's row in the registry, shared.
-- Raises AS009 for a worker that is not in the registry, 55P03, 40P01, and for a value at fault what spawn would answer.
create or replace function absurd_swift.spawn_and_claim(
  p_queue text,
  p_task_id uuid,
  p_run_id uuid,
  p_name text,
  p_params text,
  p_options text,
  p_worker text,
  p_claim_timeout integer
)
  returns table(
    run_id uuid,
    task_id uuid,
    attempt integer,
    task_name text,
    params text,
    retry_strategy text,
    max_attempts integer,
    headers text,
    wake_event text,
    event_payload text,
    token timestamptz,
    claim_expires_at timestamptz,
    due timestamptz,
    resumed boolean
  )
  language plpgsql
as $$
declare
  v_call text := absurd_swift.planned_call('start', p_queue, 7);
begin
  if v_call is not null then
    return query execute v_call
    using p_task_id, p_run_id, p_name, p_params, p_options, p_worker, p_claim_timeout;
  end if;
end;
$$;

-- A statement with its parameters $1, $2 and so on replaced, for a function in which others have these numbers. No argument
-- may have a parameter in it.
create or replace function absurd_swift.with_arguments(p_statement text, variadic p_arguments text[])
  returns text
  language plpgsql
  immutable
as $$
begin
  -- From the last, since $1 is the beginning of $10.
  for i in reverse cardinality(p_arguments) .. 1 loop
    p_statement := replace(p_statement, '$' || i, p_arguments[i]);
  end loop;
  return p_statement;
end;
$$;

-- The body of the queue's own function, which does all of it: with the task $1, the run $2, name $3, params $4, options $5, the
-- worker $6 and seconds $7. Callers with rights on the tables call it directly, which saves them a fifth of the time.
create or replace function absurd_swift.spawn_and_claim_body(p_queue text, p_is_partitioned boolean)
  returns text
  language plpgsql
  stable
as $$
begin
  return format($body$
#variable_conflict use_column
declare
  v_task_id constant uuid := $1;
  v_run_id constant uuid := $2;
  v_name constant text := $3;
  v_params constant jsonb := coalesce($4, 'null')::jsonb;
  v_worker constant text := $6;
  v_seconds constant integer := greatest(coalesce($7, 30), 0);
  v_now constant timestamptz := absurd.current_time();
  v_headers jsonb;
  v_retry_strategy jsonb;
  v_max_attempts integer;
  v_cancellation jsonb;
  v_idempotency_key text;
begin
  -- Functions outlive their queues, and the next one of that name may be of the other storage mode.
  if (to_regclass(%1$L) is not null) <> %2$L or not absurd_swift.is_spawnable(v_name, v_task_id, v_run_id, v_now) then
    return;
  end if;
  if $5 is not null then
    select o.headers, o.retry_strategy, o.max_attempts, o.cancellation, o.idempotency_key
    into v_headers, v_retry_strategy, v_max_attempts, v_cancellation, v_idempotency_key
    from absurd_swift.spawn_options($5) o;
  end if;
  -- A claim would not take it any more.
  if absurd_swift.policy_end(v_now, v_cancellation, 'max_delay') <= v_now then
    return;
  end if;
  perform absurd_swift.hold_worker(v_worker);
  perform pg_catalog.set_config('absurd_swift.quiet', %4$L, true);
  return query %3$s;
  perform pg_catalog.set_config('absurd_swift.quiet', '', true);
end;
$body$,
    format('absurd.%I', 'i_' || p_queue), p_is_partitioned,
    absurd_swift.with_arguments(
      absurd_swift.put_statement(p_queue, p_is_partitioned, true), 'v_task_id', 'v_run_id', 'v_name', 'v_params',
      'v_headers', 'v_retry_strategy', 'v_max_attempts', 'v_cancellation', 'v_idempotency_key', 'v_now', 'v_worker',
      'v_seconds'
    ),
    absurd_swift.wake_key(p_queue)
  );
end;
$$;
