-- Helpers that judge one row of a batch: payloads, policies, arguments.

-- Cast one payload.
--
-- Returns the value, or the SQLSTATE and message of a text that jsonb does not take: NUL escape,
-- lone surrogate, number out of range, nesting or string beyond the server's limits. NULL stays NULL.
create or replace function absurd_swift.parse_json(
  p_text text,
  out value jsonb,
  out sqlstate text,
  out message text
)
  language plpgsql
  immutable
as $$
begin
  value := p_text::jsonb;
exception
  when data_exception or program_limit_exceeded then
    -- Qualified, since in a handler the bare names are the error's own.
    parse_json.sqlstate := sqlstate;
    parse_json.message := sqlerrm;
end;
$$;

-- The piece of a statement that casts p_text, an expression over the rows before it, as j.
--
-- Casting under an exception block costs a subtransaction a row, several times the cast itself. So a
-- batch is first cast plainly, and with p_careful only after that failed.
create or replace function absurd_swift.json_join(p_text text, p_careful boolean)
  returns text
  language sql
  immutable
as $$
  select case
    when p_careful then format('cross join lateral absurd_swift.parse_json(%s) j', p_text)
    else format(
      'cross join lateral (select (%s)::jsonb as value, null::text as sqlstate, null::text as message) j',
      p_text
    )
  end
$$;

-- Seconds of a stored cancellation policy, NULL when there is none or when it is no integer. Reads what
-- the official release has stored unchecked; what spawn stores is_cancellation_policy has seen.
--
-- The functions of absurd raise 22P02 for a policy such as 1.5; that would end every claim of the queue.
create or replace function absurd_swift.policy_seconds(p_policy jsonb, p_key text)
  returns numeric
  language sql
  immutable
as $$
  select case when p_policy ->> p_key ~ '^\s*[+-]?[0-9]{1,18}\s*$' then (p_policy ->> p_key)::numeric end
$$;

-- Time at which a policy that began at p_start ends; NULL when never, or beyond what a timestamp holds.
create or replace function absurd_swift.policy_end(p_start timestamptz, p_policy jsonb, p_key text)
  returns timestamptz
  language sql
  immutable
as $$
  select case
    when abs(absurd_swift.policy_seconds(p_policy, p_key)) <= 100000000000
      then p_start + make_interval(secs => absurd_swift.policy_seconds(p_policy, p_key)::double precision)
  end
$$;

-- Whether a policy has ended a task that was enqueued and, unless NULL, first started at these times.
-- NULL when the policy sets no limit at this stage.
--
-- Not in SQL, which the planner would expand in each claim, whether any task has a policy or not.
create or replace function absurd_swift.is_over(
  p_policy jsonb,
  p_enqueue_at timestamptz,
  p_first_started_at timestamptz,
  p_now timestamptz
)
  returns boolean
  language plpgsql
  immutable
as $$
begin
  return extract(epoch from p_now - coalesce(p_first_started_at, p_enqueue_at))
    >= absurd_swift.policy_seconds(
      p_policy, case when p_first_started_at is null then 'max_delay' else 'max_duration' end
    );
end;
$$;

-- When the attempt after p_attempt is due. NULL for a strategy that is not valid (stored before
-- strategies were validated): such a task is not retried.
create or replace function absurd_swift.retry_due(p_now timestamptz, p_strategy jsonb, p_attempt integer)
  returns timestamptz
  language plpgsql
  immutable
as $$
begin
  if p_strategy is null then
    return p_now;
  end if;
  return p_now + make_interval(secs => absurd.retry_delay_seconds(p_strategy, p_attempt));
exception
  when sqlstate 'AB003' then
    return null;
end;
$$;

-- Whether the queue's runs carry the time at which their cancellation policy ends (our own schema).
create or replace function absurd_swift.has_cancel_at(p_queue text)
  returns boolean
  language sql
  stable
as $$
  select exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = to_regclass(format('absurd.%I', 'r_' || p_queue))
      and a.attname = 'cancel_at'
      and not a.attisdropped
  )
$$;

-- Raises AS001 unless all lengths are equal; cardinality() of a missing array is NULL and raises too.
create or replace function absurd_swift.require_equal_lengths(variadic p_lengths integer[])
  returns void
  language plpgsql
  immutable
as $$
begin
  if (p_lengths[1] = all (p_lengths)) is not true then
    raise exception 'array arguments differ in length: %', p_lengths using errcode = 'AS001';
  end if;
end;
$$;

-- Raises 22004 for a NULL queue: the name of no table, which would read as the fault of a row.
create or replace function absurd_swift.require_queue(p_queue text)
  returns void
  language plpgsql
  immutable
as $$
begin
  if p_queue is null then
    raise exception 'the queue is NULL' using errcode = '22004';
  end if;
end;
$$;

-- Whether an array names an id twice.
create or replace function absurd_swift.has_duplicates(p_ids uuid[])
  returns boolean
  language sql
  immutable
as $$
  select count(distinct x.id) < cardinality(p_ids) from unnest(p_ids) x(id)
$$;
