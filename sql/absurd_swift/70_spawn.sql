-- Spawn tasks with their first runs, due now. Row n: name, params (NULL is stored as JSON null) and
-- options as JSON text, with the keys of absurd.spawn_task; unlike there, cancellation is validated.
--
-- p_task_ids and p_run_ids: UUIDv7 made by the caller, so that a call can be sent again after a lost
-- connection; NULL arrays or elements: made here. Ids that are no UUIDv7, or more than a day away from
-- now, are refused, since they place the row.
--
-- Returns per row the ids, the attempt and created. A row whose task id exists is taken for a resend and
-- answered as it was the first time. A row whose idempotency key belongs to another task returns that
-- task, its newest run and attempt, created false. A refused row has NULL ids, sqlstate and message;
-- 40001 there means that the key's task was deleted at the same moment: send that row again.
--
-- Locks: nothing that exists. Equal keys or ids in open transactions wait for each other, in order of
-- idempotency key.
-- Raises AS001, 42P01, 22004, 55P03, 40P01.
create or replace function absurd_swift.spawn(
  p_queue text,
  p_task_ids uuid[],
  p_run_ids uuid[],
  p_names text[],
  p_params text[],
  p_options text[]
)
  returns table(
    "position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,
    message text
  )
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
as $$
#variable_conflict use_column
declare
  v_tasks uuid[] := coalesce(p_task_ids, array_fill(null::uuid, array[cardinality(p_names)]));
  v_runs uuid[] := coalesce(p_run_ids, array_fill(null::uuid, array[cardinality(p_names)]));
  v_row integer;
  v_careful boolean;
  v_task uuid;
  v_run uuid;
begin
  -- Later on it would look like the fault of a row's value.
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(
    cardinality(p_names), cardinality(v_tasks), cardinality(v_runs), cardinality(p_params),
    cardinality(p_options)
  );
  -- The arrays stay as they came: ids that are made here are not tested like those of a caller.
  if '[1:1]' = all (array[
    array_dims(p_names), array_dims(v_tasks), array_dims(v_runs), array_dims(p_params), array_dims(p_options)
  ]) then
    v_task := coalesce(v_tasks[1], absurd.portable_uuidv7());
    v_run := coalesce(v_runs[1], absurd.portable_uuidv7());
    if absurd_swift.spawn_one(p_queue, v_task, v_run, p_names[1], p_params[1], p_options[1]) then
      return query values (1, v_task, v_run, 1, true, null::text, null::text);
      return;
    end if;
  end if;
  if cardinality(p_names) > 0 then
    -- A single row is at fault by itself, so care finds out by the loop below.
    foreach v_careful in array case when cardinality(p_names) = 1 then array[false] else array[false, true] end loop
      begin
        return query select * from absurd_swift.spawn_rows(
          p_queue, v_tasks, v_runs, p_names, p_params, p_options, v_careful
        );
        return;
      exception
        when data_exception or integrity_constraint_violation or program_limit_exceeded
          or sqlstate 'AB003' or sqlstate 'AS007' then
          null;  -- some row's value is at fault; row by row it is found, and the others are done
      end;
    end loop;
  end if;
  for v_row in 1 .. cardinality(p_names) loop
    begin
      return query
        select v_row, s.task_id, s.run_id, s.attempt, s.created, s.sqlstate, s.message
        from absurd_swift.spawn_rows(
          p_queue, v_tasks[v_row:v_row], v_runs[v_row:v_row], p_names[v_row:v_row],
          p_params[v_row:v_row], p_options[v_row:v_row], true
        ) s;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        return query
          select v_row, null::uuid, null::uuid, null::integer, null::boolean, sqlstate, sqlerrm;
    end;
  end loop;
end;
$$;
