-- The schema's clock and its version.

-- Tell the time: the setting absurd.fake_now when it is not blank, else the wall clock, which advances
-- within a transaction. Plain SQL, so that column defaults and callers inline it.
--
-- Locks: none.
-- Returns now.
-- Raises 22007 when absurd.fake_now is no timestamp.
create or replace function absurd.current_time()
  returns timestamptz
  language sql
  volatile
as $$
  select coalesce(
    nullif(btrim(current_setting('absurd.fake_now', true)), '')::timestamptz,
    clock_timestamp()
  );
$$;

-- Name the release. The prefix keeps absurdctl migrate from taking this schema for the official one:
-- text that is no version sorts after every official release.
--
-- Locks: none. Raises nothing.
create or replace function absurd.get_schema_version()
  returns text
  language sql
as $$
  select 'swift-0.5.1'::text;
$$;
