-- Statements of single queues whose plans are kept.
--
-- The functions of this schema serve all queues, so their statements are text, parsed and planned with each
-- call: 2 to 3 ms, most of what a small batch costs. Therefore each queue can have functions of its own,
-- made of the same text, which a session plans once.
--
-- They are an optimization and nothing else: a queue that has none is served from the text. They are named
-- kind:queue. A queue that is dropped leaves them behind, and they serve the next one of that name, which may be of
-- the other storage mode; so what differs by storage mode is two kinds, and the caller chooses by the queue as it is.
-- start and raise are for programs, so they look themselves.
-- What differs by columns (cancel_at) is one: all queues of a database have the same, those of the schema absurd that
-- is installed. migrate drops those of no queue.

-- The kinds: arguments, and columns as "return query" wants them. No kind is longer than five bytes, since
-- queues have up to 57 and names 63.
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
      'claip', 'text, integer, integer, timestamptz, timestamptz',
      'run_id uuid, task_id uuid, attempt integer, task_name text, params text, retry_strategy text,'
      ' max_attempts integer, headers text, wake_event text, event_payload text, token timestamptz,'
      ' claim_expires_at timestamptz, due timestamptz, resumed boolean'
    ),
    (
      'done', 'text, uuid[], timestamptz[], text[], text[], timestamptz',
      '"position" integer, answer text, task_state text, sqlstate text, message text, task_id uuid'
    ),
    ('ends', 'text, uuid[], timestamptz[], text[], timestamptz', 'positions integer[], tasks uuid[]'),
    (
      'step', 'text, uuid[], timestamptz[], text[], text[], integer[], timestamptz',
      '"position" integer, answer text, claim_expires_at timestamptz, sqlstate text, message text'
    ),
    (
      'spawn', 'uuid[], uuid[], text[], text[], text[], timestamptz, uuid, uuid',
      '"position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,'
      ' message text'
    ),
    (
      'spawp', 'uuid[], uuid[], text[], text[], text[], timestamptz, uuid, uuid',
      '"position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,'
      ' message text'
    ),
    (
      'news', 'uuid[], uuid[], text[], text[], text[], timestamptz, uuid, uuid',
      'positions integer[], has_refused boolean'
    ),
    (
      'newsp', 'uuid[], uuid[], text[], text[], text[], timestamptz, uuid, uuid',
      'positions integer[], has_refused boolean'
    ),
    ('put', 'uuid, uuid, text, jsonb, jsonb, jsonb, integer, jsonb, text, timestamptz', 'made boolean'),
    ('putp', 'uuid, uuid, text, jsonb, jsonb, jsonb, integer, jsonb, text, timestamptz', 'made boolean'),
    (
      'start', 'uuid, uuid, text, text, text, text, integer',
      'run_id uuid, task_id uuid, attempt integer, task_name text, params text, retry_strategy text,'
      ' max_attempts integer, headers text, wake_event text, event_payload text, token timestamptz,'
      ' claim_expires_at timestamptz, due timestamptz, resumed boolean'
    ),
    ('load', 'uuid[], integer, text, bigint', '"position" integer, step text, state text'),
    (
      'renew', 'text, uuid[], timestamptz[], integer[], timestamptz',
      '"position" integer, answer text, claim_expires_at timestamptz'
    ),
    (
      'want', 'text, uuid[], timestamptz[], text[], text[], double precision[], boolean[]', 'events text[]'
    ),
    ('place', 'text[]', 'made bigint'),
    ('hold', 'text[]', 'events text[]'),
    (
      'await',
      'text, uuid[], timestamptz[], text[], text[], double precision[], boolean[], timestamptz, text[]',
      '"position" integer, answer text, payload text'
    ),
    (
      'emit', 'text[], text[], timestamptz',
      '"position" integer, name text, answer text, sqlstate text, message text'
    ),
    ('late', 'text[], timestamptz', 'deleted bigint'),
    ('tell', 'text, jsonb, timestamptz', 'emitted boolean'),
    ('hear', 'text[], timestamptz', 'runs uuid[], has_late boolean'),
    ('wake', 'uuid[], text[], timestamptz', 'woken bigint'),
    (
      'raise', 'text, text, text, integer, text[], bigint',
      'run_id uuid, task_id uuid, attempt integer, task_name text, params text, retry_strategy text,'
      ' max_attempts integer, headers text, wake_event text, event_payload text, token timestamptz,'
      ' claim_expires_at timestamptz, due timestamptz, resumed boolean, answer text, step text, state text'
    ),
    ('due', '', 'due_in double precision')
$$;

-- Whether queues of a storage mode have a function of that kind: claip, spawp, newsp and putp are claim, spawn, news and
-- put for partitioned queues.
create or replace function absurd_swift.has_kind(p_kind text, p_storage_mode text)
  returns boolean
  language sql
  immutable
as $$
  select case p_kind
    when 'claim' then p_storage_mode <> 'partitioned'
    when 'spawn' then p_storage_mode <> 'partitioned'
    when 'news' then p_storage_mode <> 'partitioned'
    when 'put' then p_storage_mode <> 'partitioned'
    when 'claip' then p_storage_mode = 'partitioned'
    when 'spawp' then p_storage_mode = 'partitioned'
    when 'newsp' then p_storage_mode = 'partitioned'
    when 'putp' then p_storage_mode = 'partitioned'
    else true
  end
$$;

-- The body of a queue's own function: the statement, kept; of start and raise, which have several, the body itself.
create or replace function absurd_swift.planned_body(p_kind text, p_statement text)
  returns text
  language sql
  immutable
as $$
  select case
    when p_kind in ('start', 'raise') then p_statement
    when p_kind <> 'load'
      then format(E'\n#variable_conflict use_column\nbegin\n  return query %s;\nend;\n', p_statement)
    -- "return query" would read, and detoast, what is beyond the bytes that the caller can take.
    else format(
      E'\ndeclare\n  v_bytes bigint := 0;\nbegin\n  for "position", step, state in %s loop\n    return next;\n'
      '    v_bytes := v_bytes + octet_length(step) + coalesce(octet_length(state), 0);\n'
      '    exit when v_bytes >= $4;\n  end loop;\nend;\n',
      p_statement
    )
  end
$$;

-- The call of a queue's own function with p_arity arguments, at most 9; NULL when it has none.
create or replace function absurd_swift.planned_call(p_kind text, p_queue text, p_arity integer)
  returns text
  language plpgsql
  stable
as $$
declare
  v_name text := format('absurd_swift.%I', p_kind || ':' || p_queue);
begin
  if to_regproc(v_name) is null then
    return null;
  end if;
  return 'select * from ' || v_name
    || '(' || left('$1, $2, $3, $4, $5, $6, $7, $8, $9', greatest(4 * p_arity - 2, 0)) || ')';
end;
$$;

-- Statements that give queues their own functions, or renew those made of an older text, and drop those that no
-- queue uses: of queues that are no more, or were made anew in the other storage mode. p_queue NULL: all queues.
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
      and absurd_swift.has_kind(k.kind, q.storage_mode)
      -- Their parameters are replaced in the text, where such a name would look like one.
      and not (k.kind in ('start', 'raise') and q.queue_name ~ '[$][0-9]')
      and to_regclass(format('absurd.%I', 'r_' || q.queue_name)) is not null
    order by q.queue_name, k.kind
  loop
    v_body := absurd_swift.planned_body(
      v_function.kind,
      case v_function.kind
        when 'claim' then absurd_swift.claim_statement(v_function.queue_name, false)
        when 'claip' then absurd_swift.claim_statement(v_function.queue_name, true)
        when 'done' then absurd_swift.complete_statement(v_function.queue_name, true, false)
        when 'ends' then absurd_swift.end_statement(v_function.queue_name)
        when 'step' then absurd_swift.checkpoint_statement(v_function.queue_name, true, false)
        when 'spawn' then absurd_swift.spawn_statement(v_function.queue_name, false, false, false)
        when 'spawp' then absurd_swift.spawn_statement(v_function.queue_name, true, false, false)
        when 'news' then absurd_swift.spawn_statement(v_function.queue_name, false, false, true)
        when 'newsp' then absurd_swift.spawn_statement(v_function.queue_name, true, false, true)
        when 'put' then absurd_swift.put_statement(v_function.queue_name, false, false)
        when 'putp' then absurd_swift.put_statement(v_function.queue_name, true, false)
        when 'start' then absurd_swift.spawn_and_claim_body(
          v_function.queue_name, v_function.storage_mode = 'partitioned'
        )
        when 'load' then absurd_swift.load_statement(v_function.queue_name)
        when 'renew' then absurd_swift.renew_statement(v_function.queue_name, true)
        when 'want' then absurd_swift.wanted_events_statement(v_function.queue_name)
        when 'place' then absurd_swift.place_events_statement(v_function.queue_name)
        when 'hold' then absurd_swift.hold_events_statement(v_function.queue_name, true)
        when 'await' then absurd_swift.await_event_statement(v_function.queue_name, true)
        when 'emit' then absurd_swift.emit_statement(v_function.queue_name, false)
        when 'late' then absurd_swift.delete_late_waits_statement(v_function.queue_name)
        when 'tell' then absurd_swift.tell_statement(v_function.queue_name)
        when 'hear' then absurd_swift.lock_waiting_runs_statement(v_function.queue_name)
        when 'wake' then absurd_swift.wake_runs_statement(v_function.queue_name)
        when 'raise' then absurd_swift.emit_and_claim_body(v_function.queue_name)
        when 'due' then absurd_swift.due_in_statement(v_function.queue_name)
      end
    );
    if v_body is distinct from v_function.body then
      queue_name := v_function.queue_name;
      -- The generic plan is the only one: values must not flip it, and planning is what it is to save.
      statement := format(
        'create or replace function absurd_swift.%I(%s) returns table(%s) language plpgsql'
        ' set plan_cache_mode = force_generic_plan %s as %L',
        v_function.kind || ':' || v_function.queue_name, v_function.arguments, v_function.columns,
        -- These are called by programs, not by a function that has set this.
        case when v_function.kind in ('start', 'raise')
          then 'set lock_timeout = ''200ms'' set jit = off set enable_seqscan = off set enable_hashjoin = off'
            ' set enable_mergejoin = off set enable_bitmapscan = off'
          else '' end,
        v_body
      );
      return next;
    end if;
  end loop;

  return query
    select f.queue_name, f.statement
    from (
      select k.kind, substr(p.proname::text, length(k.kind) + 2) as queue_name,
        format('drop function %s', p.oid::regprocedure) as statement
      from pg_catalog.pg_proc p
      join (
        select k.kind from absurd_swift.planned_kinds() k
        -- What earlier versions had.
        union all values ('heard')
      ) k on starts_with(p.proname::text, k.kind || ':')
      where p.pronamespace = 'absurd_swift'::regnamespace
    ) f
    where (p_queue is null or f.queue_name = p_queue)
      and not exists (
        select from absurd.queues q
        where q.queue_name = f.queue_name and absurd_swift.has_kind(f.kind, q.storage_mode) and f.kind <> 'heard'
      )
    order by f.queue_name, f.kind;
end;
$$;
