-- UUIDv7 values and the UTC weeks by which partitioned queues are cut.

-- Make a UUIDv7 of the schema's clock. The 12 bits after the version hold the fraction of the
-- millisecond, so values are ordered to the microsecond. A native generator is never used: it would
-- ignore absurd.fake_now and with it the week in which a row belongs.
--
-- Locks: none.
-- Returns the new value.
-- Raises 22007 when absurd.fake_now is no timestamp.
create or replace function absurd.portable_uuidv7()
  returns uuid
  language plpgsql
  volatile
as $$
declare
  v_micros bigint := (extract(epoch from absurd.current_time()) * 1000000)::bigint;
  v_version constant bigint := 7 << 12;
begin
  -- Byte 9 keeps the variant bits of gen_random_uuid().
  return encode(
    overlay(
      uuid_send(gen_random_uuid())
      placing int8send((v_micros / 1000 << 16) | v_version | ((v_micros % 1000) * 4096 / 1000))
      from 1
    ),
    'hex'
  )::uuid;
end;
$$;

-- Read the time inside a UUIDv7, to the millisecond.
--
-- Locks: none.
-- Returns the time; NULL for NULL and for other UUID versions.
create or replace function absurd.uuidv7_timestamp(p_id uuid)
  returns timestamptz
  language plpgsql
  immutable
  strict
as $$
declare
  v_hex text := replace(p_id::text, '-', '');
  v_millis bigint;
begin
  if substr(v_hex, 13, 1) <> '7' then
    return null;
  end if;

  v_millis := ('x0000' || substr(v_hex, 1, 12))::bit(64)::bigint;

  -- Seconds and rest apart: a double cannot hold every 48-bit number of milliseconds as microseconds.
  return timestamptz '1970-01-01 00:00:00+00'
    + make_interval(secs => v_millis / 1000)
    + make_interval(secs => (v_millis % 1000) / 1000.0);
end;
$$;

-- Give the smallest UUIDv7 of a time's millisecond: a bound for ranges of task and run ids.
--
-- Locks: none.
-- Returns the value; NULL for NULL.
-- Raises P0001 when the time does not fit into the 48 bits of a UUIDv7.
create or replace function absurd.uuidv7_floor(p_ts timestamptz)
  returns uuid
  language plpgsql
  immutable
  strict
as $$
declare
  v_millis bigint;
begin
  if p_ts < timestamptz '1970-01-01 00:00:00+00' or p_ts >= timestamptz '10889-08-02 05:31:50.656+00' then
    raise exception 'time % does not fit into a UUIDv7', p_ts;
  end if;

  v_millis := floor(extract(epoch from p_ts) * 1000)::bigint;

  return (lpad(to_hex(v_millis), 12, '0') || '70008000000000000000')::uuid;
end;
$$;

-- Give the start of a time's week: Monday 00:00 UTC, whatever the connection's time zone.
--
-- Locks: none.
-- Returns the start; NULL for NULL.
create or replace function absurd.week_bucket_utc(p_ts timestamptz)
  returns timestamptz
  language sql
  immutable
  strict
as $$
  select date_trunc('week', p_ts at time zone 'UTC') at time zone 'UTC';
$$;

-- Name a time's week as in partition names: last digit of the ISO year and two-digit ISO week.
--
-- Locks: none.
-- Returns the tag; NULL for NULL.
create or replace function absurd.partition_week_tag(p_ts timestamptz)
  returns text
  language plpgsql
  immutable
  strict
as $$
declare
  v_day timestamp := p_ts at time zone 'UTC';
begin
  return to_char(v_day, 'I') || to_char(v_day, 'IW');
end;
$$;
