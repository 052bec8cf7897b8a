-- Statements of single queues whose plans are kept.
--
-- The functions of this schema serve all queues, so their statements are text, parsed and planned with each
-- call: 2 to 3 ms, most of what a small batch costs. Therefore each queue can have functions of its own,
-- made of the same text, which a session plans once.
--
-- They are an optimization and nothing else: a queue that has none is served from the text. They are named
-- claim:queue, done:queue, step:queue and spawn:queue. A queue that is dropped leaves them behind, and they
-- serve the next one of that name; migrate drops those of no queue.

-- The kinds: arguments, and columns as "return query" wants them.
create or replace function absurd_swift.planned_kinds()
  returns table(kind text, arguments text, columns text)
  language sql
  immutable
as $$
  values
    (
      'claim', 'text, integer, integer, timestamptz, timestamptz',
      'run_id uuid, task_id uuid, attempt integer, task_name text, params text, retry_strategy text,'
      ' max_attempts integer, headers text, wake_event text, event_payload text, token timestamptz,'
      ' claim_expires_at timestamptz, due timestamptz, resumed boolean'
    ),
    (
      'done', 'text, uuid[], timestamptz[], text[], text[], timestamptz',
      '"position" integer, answer text, task_state text, sqlstate text, message text, task_id uuid'
    ),
    (
      'step', 'text, uuid[], timestamptz[], text[], text[], integer[], timestamptz',
      '"position" integer, answer text, claim_expires_at timestamptz, sqlstate text, message text'
    ),
    (
      'spawn', 'uuid[], uuid[], text[], text[], text[], timestamptz, uuid, uuid',
      '"position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,'
      ' message text'
    )
$$;

-- The call of a queue's own function, NULL when it has none.
create or replace function absurd_swift.planned_call(p_kind text, p_queue text)
  returns text
  language plpgsql
  stable
as $$
begin
  if to_regproc(format('absurd_swift.%I', p_kind || ':' || p_queue)) is null then
    return null;
  end if;
  return format('select * from absurd_swift.%I', p_kind || ':' || p_queue) || case p_kind
    when 'claim' then '($1, $2, $3, $4, $5)'
    when 'done' then '($1, $2, $3, $4, $5, $6)'
    when 'step' then '($1, $2, $3, $4, $5, $6, $7)'
    when 'spawn' then '($1, $2, $3, $4, $5, $6, $7, $8)'
  end;
end;
$$;

-- Statements that give queues their own functions, or renew those made of an older text, and drop those of
-- queues that are no more. p_queue NULL: all queues.
--
-- Locks: none. Returns no row when nothing is to be done.
create or replace function absurd_swift.missing_functions(p_queue text default null)
  returns table(queue_name text, statement text)
  language plpgsql
  stable
as $$
#variable_conflict use_column
declare
  v_function record;
  v_body text;
begin
  for v_function in
    select q.queue_name, q.storage_mode, k.kind, k.arguments, k.columns, p.prosrc as body
    from absurd.queues q
    cross join absurd_swift.planned_kinds() k
    left join pg_catalog.pg_proc p
      on p.pronamespace = 'absurd_swift'::regnamespace and p.proname = k.kind || ':' || q.queue_name
    where (p_queue is null or q.queue_name = p_queue)
      and to_regclass(format('absurd.%I', 'r_' || q.queue_name)) is not null
    order by q.queue_name, k.kind
  loop
    v_body := format(E'\n#variable_conflict use_column\nbegin\n  return query %s;\nend;\n',
      case v_function.kind
        when 'claim' then absurd_swift.claim_statement(v_function.queue_name)
        when 'done' then absurd_swift.complete_statement(v_function.queue_name, true, false)
        when 'step' then absurd_swift.checkpoint_statement(v_function.queue_name, true, false)
        when 'spawn' then absurd_swift.spawn_statement(
          v_function.queue_name, v_function.storage_mode = 'partitioned', false
        )
      end);
    if v_body is distinct from v_function.body then
      queue_name := v_function.queue_name;
      -- The generic plan is the only one: values must not flip it, and planning is what it is to save.
      statement := format(
        'create or replace function absurd_swift.%I(%s) returns table(%s) language plpgsql'
        ' set plan_cache_mode = force_generic_plan as %L',
        v_function.kind || ':' || v_function.queue_name, v_function.arguments, v_function.columns, v_body
      );
      return next;
    end if;
  end loop;

  return query
    select split_part(p.proname::text, ':', 2), format('drop function %s', p.oid::regprocedure)
    from pg_catalog.pg_proc p
    join absurd_swift.planned_kinds() k on p.proname like k.kind || ':%'
    where p.pronamespace = 'absurd_swift'::regnamespace
      and p_queue is null
      and not exists (
        select from absurd.queues q where k.kind || ':' || q.queue_name = p.proname
      );
end;
$$;
