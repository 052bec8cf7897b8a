-- spawn without isolation: fails as a whole if a value cannot be written or, unless p_careful, if a
-- row's params or options are at fault.
create or replace function absurd_swift.spawn_rows(
  p_queue text,
  p_task_ids uuid[],
  p_run_ids uuid[],
  p_names text[],
  p_params text[],
  p_options text[],
  p_careful boolean
)
  returns table(
    "position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,
    message text
  )
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_answered boolean[] := array_fill(false, array[cardinality(p_names)]);
  v_is_partitioned boolean := to_regclass(format('absurd.%I', 'i_' || p_queue)) is not null;
  v_now timestamptz := absurd.current_time();
begin
  for "position", task_id, run_id, attempt, created, sqlstate, message in execute coalesce(
    case when not p_careful then absurd_swift.planned_call(
      case when v_is_partitioned then 'spawp' else 'spawn' end, p_queue, 8
    ) end,
    absurd_swift.spawn_statement(p_queue, v_is_partitioned, p_careful, false)
  ) using p_task_ids, p_run_ids, p_names, p_params, p_options, v_now,
    absurd_swift.uuid_at(v_now - interval '1 day'), absurd_swift.uuid_at(v_now + interval '1 day 1 ms')
  loop
    if sqlstate = 'AS007' and message is null then
      raise exception 'options are at fault' using errcode = 'AS007';  -- spawn repeats this with care
    end if;
    v_answered["position"] := true;
    return next;
  end loop;

  if false = any (v_answered) then
    return query select * from absurd_swift.spawn_rest(
      p_queue, p_task_ids, p_run_ids, p_options, v_answered, v_is_partitioned
    );
  end if;
end;
$$;

-- What earlier versions had in its place.
drop function if exists absurd_swift.spawn_statement(text, boolean, boolean);

-- The statement that spawns rows with task ids $1, run ids $2, names $3, params $4 and options $5 at $6; ids
-- have to be from $7 to below $8. Answers for each row that was made or refused; with p_is_terse once for all, with the
-- positions of those that were made and whether some were refused.
create or replace function absurd_swift.spawn_statement(
  p_queue text,
  p_is_partitioned boolean,
  p_careful boolean,
  p_is_terse boolean
)
  returns text
  language plpgsql
  stable
as $$
declare
  v_has_cancel_at boolean := absurd_swift.has_cancel_at(p_queue);
  v_insert text := format($sql$
      insert into absurd.%I (
        task_id, task_name, params, headers, retry_strategy, max_attempts, cancellation, enqueue_at,
        state, attempts, last_attempt_run, idempotency_key
      )
      select n.task_id, n.name, n.params, n.headers, n.retry_strategy, n.max_attempts, n.cancellation, $6,
        'pending', 1, n.run_id, n.idempotency_key
      from n
    $sql$, 't_' || p_queue);
  v_order text := 'order by n.idempotency_key, n.position';
  -- "is true" keeps this a hashed lookup; as a join it is quadratic whenever few rows are expected.
  v_made text := '(n.task_id in (select a.task_id from a)) is true';
  v_columns text := 'select n.position, n.task_id, n.run_id, n.cancellation from n';
begin
  return format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.name,
        coalesce(x.task_id, absurd.portable_uuidv7()) as task_id,
        coalesce(x.run_id, absurd.portable_uuidv7()) as run_id,
        j.value as params, o.headers, o.retry_strategy, o.max_attempts, o.cancellation, o.idempotency_key,
        case
          when coalesce(btrim(x.name), '') = '' then 'AS007'
          when q.is_odd then 'AS008'
          else coalesce(j.sqlstate, o.sqlstate)
        end as sqlstate %10$s
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
        with ordinality x(task_id, run_id, name, params, options, ordinality)
      %6$s
      %7$s
      cross join lateral (
        -- Ids that the caller made have to be UUIDv7 of about now; NULL is made here.
        select not (
          coalesce(x.task_id >= $7 and x.task_id < $8 and get_byte(uuid_send(x.task_id), 6) >> 4 = 7, true)
          and coalesce(x.run_id >= $7 and x.run_id < $8 and get_byte(uuid_send(x.run_id), 6) >> 4 = 7, true)
        ) as is_odd
      ) q
    ),
    %3$s
    %9$s,
    b as (
      insert into absurd.%1$I (run_id, task_id, attempt, state, available_at, created_at %4$s)
      select m.run_id, m.task_id, 1, 'pending', $6, $6 %5$s
      from m
      order by m.position
    )
    %8$s
    $sql$,
    'r_' || p_queue, 't_' || p_queue,
    case when p_is_partitioned
      -- Partitioned queues keep their keys in a registry of their own; a row whose key is there is not new.
      then format($sql$
        k as (
          insert into absurd.%I (idempotency_key, task_id)
          select i.idempotency_key, i.task_id
          from i
          where i.sqlstate is null and i.idempotency_key is not null
          order by i.idempotency_key, i.position
          on conflict do nothing
          returning task_id
        ),
        n as materialized (
          select i.* from i left join k on k.task_id = i.task_id
          where i.sqlstate is null and (i.idempotency_key is null or k.task_id is not null)
        ),
        $sql$, 'i_' || p_queue)
      -- What is materialized already need not be copied.
      else 'n as not materialized (select i.* from i where i.sqlstate is null),' end,
    case when v_has_cancel_at then ', cancel_at' else '' end,
    case when v_has_cancel_at then ', case when m.cancellation is not null
        then absurd_swift.policy_end($6, m.cancellation, ''max_delay'') end' else '' end,
    absurd_swift.json_join('coalesce(x.params, ''null'')', p_careful),
    absurd_swift.options_join(p_careful),
    case when p_is_terse
      then 'select (select array_agg(m.position) from m) as positions,'
        ' exists (select from i where i.sqlstate is not null) as has_refused'
      else 'select m.position, m.task_id, m.run_id, 1, true, null, null from m union all'
        ' select i.position, null, null, null, null, i.sqlstate, i.message from i where i.sqlstate is not null'
      end,
    case
      when not p_is_terse then
        format('a as (%s %s on conflict do nothing returning task_id)', v_insert, v_order)
        || format(', m as materialized (%s where %s)', v_columns, v_made)
      -- A look for conflicts costs an eighth of all. An id that is there fails, and the caller goes another way.
      when p_is_partitioned then
        format('a as (%s %s)', v_insert, v_order) || format(', m as materialized (%s)', v_columns)
      else
        format('f as (%s where n.idempotency_key is null order by n.position)', v_insert)
        || format(', a as (%s where n.idempotency_key is not null %s on conflict do nothing returning task_id)',
          v_insert, v_order)
        || format(', m as materialized (%s where n.idempotency_key is null or %s)', v_columns, v_made)
    end,
    case when p_is_terse then '' else
      $sql$, case
          when coalesce(btrim(x.name), '') = '' then 'the task name is blank'
          when q.is_odd then 'task and run id must be UUIDv7 of about now'
          else coalesce(j.message, o.message)
        end as message$sql$
    end
  );
end;
$$;
