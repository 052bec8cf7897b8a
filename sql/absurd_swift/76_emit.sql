-- Emit events and wake every run that waits for one of them. Row n: name, payload as JSON text (NULL is
-- stored as JSON null). The first emission of a name counts, also within a call; later ones change nothing.
--
-- Answers emitted, known (emitted before) or refused, with sqlstate and message.
--
-- Locks: the events' rows by name; the runs to wake by run_id, waiting for those that others hold, since a
-- run that was skipped would sleep for ever; their tasks, checkpoints and waits. Waits whose deadline has
-- passed are deleted unless somebody else is doing so: their runs are due anyway.
-- Raises AS001, 42P01, 55P03, 40P01; after the last two send again, the same event harms nothing.
create or replace function absurd_swift.emit(p_queue text, p_names text[], p_payloads text[])
  returns table("position" integer, answer text, sqlstate text, message text)
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  v_row integer;
  v_careful boolean;
begin
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(cardinality(p_names), cardinality(p_payloads));
  if cardinality(p_names) > 1 then
    foreach v_careful in array array[false, true] loop
      begin
        return query select * from absurd_swift.emit_rows(p_queue, p_names, p_payloads, v_careful);
        return;
      exception
        when data_exception or integrity_constraint_violation or program_limit_exceeded then
          null;  -- some row's value is at fault; row by row it is found, and the others are done
      end;
    end loop;
  end if;
  for v_row in select x.n from unnest(p_names) with ordinality x(name, n) order by x.name, x.n loop
    begin
      return query select v_row, e.answer, e.sqlstate, e.message
        from absurd_swift.emit_rows(p_queue, p_names[v_row:v_row], p_payloads[v_row:v_row], false) e;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        return query select v_row, 'refused', sqlstate, sqlerrm;
    end;
  end loop;
end;
$$;

-- emit without isolation: fails as a whole if a value cannot be written or, unless p_careful, if a payload
-- cannot be cast.
create or replace function absurd_swift.emit_rows(
  p_queue text,
  p_names text[],
  p_payloads text[],
  p_careful boolean
)
  returns table("position" integer, answer text, sqlstate text, message text)
  language plpgsql
as $$
#variable_conflict use_column
declare
  v_now timestamptz := absurd.current_time();
  v_emitted text[] := '{}';
  v_row record;
  v_is_single boolean := array_dims(p_names) = '[1:1]' and array_dims(p_payloads) = '[1:1]' and btrim(p_names[1]) <> ''
    and not p_careful;
  v_single text := case when v_is_single then absurd_swift.planned_call('tell', p_queue, 3) end;
  v_is_emitted boolean;
begin
  if v_single is not null then
    execute v_single into v_is_emitted using p_names[1], coalesce(p_payloads[1], 'null')::jsonb, v_now;
    "position" := 1;
    answer := case when v_is_emitted then 'emitted' else 'known' end;
    return next;
    if v_is_emitted then
      perform absurd_swift.wake_event_waits(p_queue, p_names, v_now);
    end if;
    return;
  end if;

  -- A placeholder, made by whoever waits, has no payload yet.
  for v_row in execute coalesce(
    case when not p_careful then absurd_swift.planned_call('emit', p_queue, 3) end,
    absurd_swift.emit_statement(p_queue, p_careful)
  ) using p_names, p_payloads, v_now
  loop
    "position" := v_row.position;
    answer := v_row.answer;
    sqlstate := v_row.sqlstate;
    message := v_row.message;
    if answer = 'emitted' then
      v_emitted := v_emitted || v_row.name;
    end if;
    return next;
  end loop;

  if cardinality(v_emitted) > 0 then
    perform absurd_swift.wake_event_waits(p_queue, v_emitted, v_now);
  end if;
end;
$$;

-- The statement that stores the events $1 with the payloads $2, emitted at $3.
create or replace function absurd_swift.emit_statement(p_queue text, p_careful boolean)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with i as materialized (
      select x.ordinality::integer as position, x.name, j.value,
        row_number() over (partition by x.name order by j.sqlstate is not null, x.ordinality) = 1 as is_first,
        case when coalesce(btrim(x.name), '') = '' then 'AS005' else j.sqlstate end as sqlstate,
        case when coalesce(btrim(x.name), '') = '' then 'the event name is blank' else j.message end as message
      from unnest($1::text[], $2::text[]) with ordinality x(name, payload, ordinality)
      %2$s
    ),
    a as (
      insert into absurd.%1$I as e (event_name, payload, emitted_at)
      select i.name, i.value, $3
      from i
      where i.sqlstate is null and i.is_first
      order by i.name
      on conflict (event_name) do update
      set payload = excluded.payload, emitted_at = excluded.emitted_at
      where e.payload is null
      returning e.event_name
    )
    select i.position, i.name,
      case when i.sqlstate is not null then 'refused'
        when i.is_first and i.name in (select a.event_name from a) then 'emitted'
        else 'known' end as answer,
      i.sqlstate, i.message
    from i
        $sql$, 'e_' || p_queue, absurd_swift.json_join('coalesce(x.payload, ''null'')', p_careful))
$$;

-- The statement that stores the event $1 with the payload $2, emitted at $3: for one what emit_statement does for many,
-- at a third of its price. Returns no row when the event was known.
create or replace function absurd_swift.tell_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    insert into absurd.%I as e (event_name, payload, emitted_at)
    values ($1, $2, $3)
    on conflict (event_name) do update
    set payload = excluded.payload, emitted_at = excluded.emitted_at
    where e.payload is null
    returning true as emitted
    $sql$, 'e_' || p_queue)
$$;
