-- What spawn checks of one row: its options, and the ids that the caller made.

-- Take spawn options apart.
--
-- Returns the values to store; sqlstate and message stay NULL.
-- Raises AS007, AB003 (retry strategy), class 22 (not JSON, or a number that is no integer).
create or replace function absurd_swift.spawn_options(
  p_text text,
  out headers jsonb,
  out retry_strategy jsonb,
  out max_attempts integer,
  out cancellation jsonb,
  out idempotency_key text,
  out sqlstate text,
  out message text
)
  language plpgsql
  stable
as $$
declare
  v_options jsonb;
begin
  if p_text is null then
    return;
  end if;
  v_options := p_text::jsonb;
  -- As in absurd, anything but an object counts as no options.
  if jsonb_typeof(v_options) <> 'object' then
    return;
  end if;

  headers := v_options -> 'headers';
  idempotency_key := v_options ->> 'idempotency_key';
  retry_strategy := v_options -> 'retry_strategy';
  if retry_strategy is not null then
    perform absurd.retry_delay_seconds(retry_strategy, 1);
  end if;
  max_attempts := (v_options ->> 'max_attempts')::integer;
  if max_attempts < 1 then
    raise exception 'max_attempts must be at least 1, not %', max_attempts using errcode = 'AS007';
  end if;
  cancellation := nullif(v_options -> 'cancellation', 'null');
  if not absurd_swift.is_cancellation_policy(cancellation) then
    raise exception 'cancellation must be an object whose max_delay and max_duration are whole seconds'
      using errcode = 'AS007';
  end if;
end;
$$;

-- spawn_options that returns SQLSTATE and message of what is wrong, at the price of a subtransaction.
create or replace function absurd_swift.parse_spawn_options(
  p_text text,
  out headers jsonb,
  out retry_strategy jsonb,
  out max_attempts integer,
  out cancellation jsonb,
  out idempotency_key text,
  out sqlstate text,
  out message text
)
  language plpgsql
  stable
as $$
begin
  select o.headers, o.retry_strategy, o.max_attempts, o.cancellation, o.idempotency_key
  into headers, retry_strategy, max_attempts, cancellation, idempotency_key
  from absurd_swift.spawn_options(p_text) o;
exception
  when data_exception or program_limit_exceeded or sqlstate 'AB003' or sqlstate 'AS007' then
    -- Qualified, since in a handler the bare names are the error's own.
    parse_spawn_options.sqlstate := sqlstate;
    parse_spawn_options.message := sqlerrm;
end;
$$;

-- Whether a value can be stored as a cancellation policy. NULL can: no policy. The same as absurd's
-- check_cancellation, which the official release has not.
create or replace function absurd_swift.is_cancellation_policy(p_policy jsonb)
  returns boolean
  language sql
  immutable
as $$
  select p_policy is null
    or jsonb_typeof(p_policy) = 'object'
      and coalesce(p_policy ->> 'max_delay' ~ '^[0-9]{1,15}$', true)
      and coalesce(p_policy ->> 'max_duration' ~ '^[0-9]{1,15}$', true)
$$;

-- Whether an id may become a key of a row made now. NULL may: it is made here.
create or replace function absurd_swift.is_id_of_now(p_id uuid, p_now timestamptz)
  returns boolean
  language sql
  immutable
as $$
  select p_id is null or coalesce(
    absurd.uuidv7_timestamp(p_id) between p_now - interval '1 day' and p_now + interval '1 day', false
  )
$$;
