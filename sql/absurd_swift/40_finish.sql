-- End or park the execution of claimed runs. Per row one action:
--
--   complete    payload is the result; NULL is stored as JSON null
--   fail        payload is the reason; next attempt by the task's retry strategy, or at p_wake_at,
--               or p_delays seconds from now
--   fail_final  payload is the reason; no further attempt
--   sleep       until p_wake_at, or p_delays seconds from now; when p_steps is not NULL the payload is
--               first written as that checkpoint, first write wins
--   release     back to the queue, due now, the attempt unspent
--
-- Answers done (task_state is the task's state now), repeated, lost, cancelled, failed, refused, busy.
-- A refused row leaves its run running. repeated: the run was completed with this result or failed with this
-- reason under this token, or was parked under it.
--
-- Locks: the runs of all rows that pass the fence by run_id, then their tasks, checkpoints, waits;
-- after a task ended, what wake_result_waits locks. With p_wait = false runs and tasks SKIP LOCKED.
-- Raises AS001, 42P01, 55P03, 40P01.
create or replace function absurd_swift.finish(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_payloads text[],
  p_steps text[],
  p_wake_at timestamptz[],
  p_delays double precision[],
  p_wait boolean default true
)
  returns table("position" integer, answer text, task_state text, sqlstate text, message text)
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
  perform absurd_swift.require_equal_lengths(
    cardinality(p_runs), cardinality(p_tokens), cardinality(p_actions), cardinality(p_payloads),
    cardinality(p_steps), cardinality(p_wake_at), cardinality(p_delays)
  );
  if cardinality(p_runs) > 1 and not absurd_swift.has_duplicates(p_runs) then
    foreach v_careful in array array[false, true] loop
      begin
        return query select * from absurd_swift.finish_rows(
          p_queue, p_worker, p_runs, p_tokens, p_actions, p_payloads, p_steps, p_wake_at, p_delays, p_wait, v_careful
        );
        return;
      exception
        when data_exception or integrity_constraint_violation or program_limit_exceeded then
          null;  -- some row's value is at fault; row by row it is found, and the others are done
      end;
    end loop;
  end if;
  for v_row in select x.n from unnest(p_runs) with ordinality x(run_id, n) order by x.run_id, x.n loop
    begin
      return query select v_row, f.answer, f.task_state, f.sqlstate, f.message
        from absurd_swift.finish_rows(
          p_queue, p_worker, p_runs[v_row:v_row], p_tokens[v_row:v_row], p_actions[v_row:v_row],
          p_payloads[v_row:v_row], p_steps[v_row:v_row], p_wake_at[v_row:v_row], p_delays[v_row:v_row], p_wait, false
        ) f;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        return query select v_row, 'refused', null::text, sqlstate, sqlerrm;
    end;
  end loop;
end;
$$;
