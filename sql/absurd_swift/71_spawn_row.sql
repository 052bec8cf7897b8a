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

-- The piece of a statement that takes spawn options apart as o: plainly, or with p_careful row by row.
--
-- A call of spawn_options for each row costs more than the row's insertion. Plainly, a row whose options are
-- at fault has sqlstate AS007 and no message, or the statement fails; either way it is to be repeated with
-- care.
create or replace function absurd_swift.options_join(p_careful boolean)
  returns text
  language sql
  immutable
as $$
  select case
    when p_careful then 'cross join lateral absurd_swift.parse_spawn_options(x.options) o'
    else $sql$
      -- offset 0: the text is parsed once and not for each of its uses.
      cross join lateral (select x.options::jsonb as v offset 0) w
      cross join lateral (select case when jsonb_typeof(w.v) = 'object' then w.v end as v offset 0) y
      cross join lateral (
        select y.v -> 'headers' as headers,
          y.v -> 'retry_strategy' as retry_strategy,
          (y.v ->> 'max_attempts')::integer as max_attempts,
          nullif(y.v -> 'cancellation', 'null') as cancellation,
          y.v ->> 'idempotency_key' as idempotency_key,
          case
            when (y.v ->> 'max_attempts')::integer < 1 then 'AS007'
            when y.v -> 'retry_strategy' is not null
              and absurd.retry_delay_seconds(y.v -> 'retry_strategy', 1) is null then 'AS007'
            when nullif(y.v -> 'cancellation', 'null') is not null
              and not absurd_swift.is_cancellation_policy(y.v -> 'cancellation') then 'AS007'
          end as sqlstate,
          null::text as message
      ) o
      $sql$
  end
$$;

-- The smallest UUID whose first 48 bits are a time's milliseconds, as in a UUIDv7. Stable, as extract is, since it would not
-- be inlined if it promised more, and cost ten times as much.
create or replace function absurd_swift.uuid_at(p_time timestamptz)
  returns uuid
  language sql
  stable
as $$
  select encode(
    int8send((extract(epoch from p_time) * 1000)::bigint << 16) || '\x0000000000000000'::bytea, 'hex'
  )::uuid
$$;
