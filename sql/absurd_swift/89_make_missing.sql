-- What missing_triggers and missing_functions ask for, executed for one queue.
--
-- So that programs need no privilege on the tables for it where these are security definer (sql/roles).

-- Locks: the queue's run table against writers, for a moment; 200 ms are waited for that.
-- Returns how many triggers were made. Raises 42501 to who may not; 55P03, 40P01: call it again.
create or replace function absurd_swift.make_triggers(p_queue text)
  returns integer
  language plpgsql
  set lock_timeout = '200ms'
as $$
declare
  v_statement text;
  v_count integer := 0;
begin
  perform absurd_swift.require_queue(p_queue);
  for v_statement in select m.statement from absurd_swift.missing_triggers(p_queue) m loop
    execute v_statement;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;

-- Locks: the catalog rows of the functions. Returns how many were made or renewed.
-- Raises 42501 to who may not; XX000 or 23505 when somebody else makes them at the same time: they are there then.
create or replace function absurd_swift.make_functions(p_queue text)
  returns integer
  language plpgsql
  set lock_timeout = '200ms'
as $$
declare
  v_statement text;
  v_count integer := 0;
begin
  perform absurd_swift.require_queue(p_queue);
  for v_statement in select m.statement from absurd_swift.missing_functions(p_queue) m loop
    execute v_statement;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
