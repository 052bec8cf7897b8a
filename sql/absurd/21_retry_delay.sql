-- Retry strategies: {"kind": "none" | "fixed" | "exponential", "base_seconds", "factor", "max_seconds"}.

-- Read one number of a retry strategy. JSON strings that hold a number count as numbers.
--
-- Locks: none.
-- Returns the number; the default when the key is absent or null.
-- Raises AB003 when the value is no number.
create or replace function absurd.retry_strategy_number(
  p_strategy jsonb,
  p_key text,
  p_default double precision
)
  returns double precision
  language plpgsql
  immutable
as $$
begin
  if jsonb_typeof(p_strategy -> p_key) not in ('number', 'string') then
    if jsonb_typeof(p_strategy -> p_key) = 'null' then
      return p_default;
    end if;
    raise data_exception;
  end if;

  return coalesce((p_strategy ->> p_key)::double precision, p_default);
exception
  when data_exception then
    raise exception 'retry strategy: % must be a number, not %', p_key, p_strategy -> p_key
      using errcode = 'AB003';
end;
$$;

-- Compute the seconds between the failure of an attempt and the next one; with attempt 1 it serves as
-- the validation of a strategy.
--
-- Locks: none.
-- Returns the delay, 0 without a strategy.
-- Raises AB003 when the strategy is invalid.
create or replace function absurd.retry_delay_seconds(p_strategy jsonb, p_attempt integer)
  returns double precision
  language plpgsql
  immutable
as $$
declare
  v_limit constant double precision := 86400;
  v_kind text;
  v_base double precision;
  v_factor double precision;
  v_cap double precision;
  v_steps double precision := greatest(coalesce(p_attempt, 1), 1) - 1;
begin
  if p_strategy is null then
    return 0;
  end if;

  if jsonb_typeof(p_strategy) <> 'object' then
    raise exception 'retry strategy must be a JSON object, not %', jsonb_typeof(p_strategy)
      using errcode = 'AB003';
  end if;

  v_kind := coalesce(p_strategy ->> 'kind', 'none');

  if v_kind not in ('none', 'fixed', 'exponential') then
    raise exception 'retry strategy: kind must be none, fixed or exponential, not "%"', v_kind
      using errcode = 'AB003';
  end if;

  if v_kind = 'none' then
    return 0;
  end if;

  v_base := absurd.retry_strategy_number(
    p_strategy, 'base_seconds', case v_kind when 'fixed' then 60 else 30 end);

  -- NaN sorts above every number, so the range test refuses it too.
  if v_base not between 0 and v_limit then
    raise exception 'retry strategy: base_seconds must be between 0 and %, not %', v_limit, v_base
      using errcode = 'AB003';
  end if;

  if v_kind = 'fixed' then
    return v_base;
  end if;

  v_factor := absurd.retry_strategy_number(p_strategy, 'factor', 2);

  if not (v_factor >= 0 and v_factor < 'Infinity') then
    raise exception 'retry strategy: factor must be a finite number, 0 or more, not %', v_factor
      using errcode = 'AB003';
  end if;

  v_cap := absurd.retry_strategy_number(p_strategy, 'max_seconds', v_limit);

  if v_cap not between 0 and v_limit then
    raise exception 'retry strategy: max_seconds must be between 0 and %, not %', v_limit, v_cap
      using errcode = 'AB003';
  end if;

  if v_base = 0 then
    return 0;
  end if;

  begin
    return least(v_base * power(v_factor, v_steps), v_cap);
  exception
    -- A double cannot hold the result: it is beyond every cap, or as good as nothing.
    when numeric_value_out_of_range then
      return case when v_factor > 1 then v_cap else 0 end;
  end;
end;
$$;
