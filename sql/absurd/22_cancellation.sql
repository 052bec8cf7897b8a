-- Cancellation policies of tasks: {"max_delay": seconds, "max_duration": seconds}.
--
-- max_delay counts from spawn to the first start, max_duration from the first start to the end, sleeping
-- included. The time at which a policy ends a task is kept on its live run (cancel_at), so that
-- claim_task finds overdue tasks by an index without looking at any other.

-- Check a policy before it is stored.
--
-- Locks: none.
-- Raises P0001 when it is neither an object nor null, or when max_delay or max_duration is anything
-- but a whole number of seconds, 0 or more.
create or replace function absurd.check_cancellation(p_cancellation jsonb)
  returns void
  language plpgsql
  immutable
as $$
declare
  v_key text;
begin
  if p_cancellation is null or jsonb_typeof(p_cancellation) = 'null' then
    return;
  end if;

  if jsonb_typeof(p_cancellation) <> 'object' then
    raise exception 'cancellation must be a JSON object, not %', jsonb_typeof(p_cancellation);
  end if;

  foreach v_key in array array['max_delay', 'max_duration'] loop
    if p_cancellation ->> v_key !~ '^[0-9]{1,15}$' then
      raise exception 'cancellation: % must be a whole number of seconds, 0 or more, not %',
        v_key, p_cancellation -> v_key;
    end if;
  end loop;
end;
$$;

-- Compute when a policy ends a task. Values that check_cancellation would refuse count as absent, so
-- that a row written around spawn_task cannot stop a queue.
--
-- Locks: none.
-- Returns the time, NULL when the policy sets no limit at this stage. Raises nothing.
create or replace function absurd.cancellation_deadline(
  p_cancellation jsonb,
  p_enqueue_at timestamptz,
  p_first_started_at timestamptz
)
  returns timestamptz
  language plpgsql
  immutable
as $$
declare
  v_seconds text := p_cancellation
    ->> case when p_first_started_at is null then 'max_delay' else 'max_duration' end;
begin
  if v_seconds is null or v_seconds !~ '^[0-9]{1,15}$' then
    return null;
  end if;

  -- 10^11 seconds are three thousand years: the same as never, and in range of a timestamp.
  return coalesce(p_first_started_at, p_enqueue_at)
    + make_interval(secs => least(v_seconds::double precision, 1e11));
end;
$$;
