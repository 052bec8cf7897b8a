-- Await the end of other tasks for claimed runs: take the result when it is there, else park the run.
--
-- A parked run is a timer sleep of p_poll_delays seconds, after which it looks again; usually it is woken
-- before, by whichever function of absurd_swift ends the awaited task. p_park false: only look.
-- The snapshot {"state": ..., "result": ...} (or "failure") is stored as the step's checkpoint.
--
-- Answers received (with payload), parked (also for a resend), absent, unknown (no such task or queue),
-- lost, cancelled, failed, refused, busy.
--
-- Locks: the awaited tasks' rows, shared, by queue and task_id; then the runs that pass the fence by
-- run_id, their tasks, checkpoints, registrations. The task row comes first because whoever ends the
-- task must either be seen here, or see the registration. With p_wait = false all SKIP LOCKED.
-- Raises AS001, 42P01, 55P03, 40P01.
create or replace function absurd_swift.await_task(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_task_queues text[],
  p_tasks uuid[],
  p_poll_delays double precision[],
  p_park boolean[],
  p_wait boolean default true
)
  returns table("position" integer, answer text, payload text, sqlstate text, message text)
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
begin
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(
    cardinality(p_runs), cardinality(p_tokens), cardinality(p_steps), cardinality(p_task_queues),
    cardinality(p_tasks), cardinality(p_poll_delays), cardinality(p_park)
  );
  if cardinality(p_runs) > 1 and not absurd_swift.has_duplicates(p_runs) then
    begin
      return query select * from absurd_swift.await_task_rows(
        p_queue, p_worker, p_runs, p_tokens, p_steps, p_task_queues, p_tasks, p_poll_delays, p_park, p_wait
      );
      return;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        null;  -- some row's value cannot be written; row by row it is found, and the others are done
    end;
  end if;
  for v_row in select x.n from unnest(p_runs) with ordinality x(run_id, n) order by x.run_id, x.n loop
    begin
      return query
        select v_row, a.answer, a.payload, a.sqlstate, a.message
        from absurd_swift.await_task_rows(
          p_queue, p_worker, p_runs[v_row:v_row], p_tokens[v_row:v_row], p_steps[v_row:v_row],
          p_task_queues[v_row:v_row], p_tasks[v_row:v_row], p_poll_delays[v_row:v_row],
          p_park[v_row:v_row], p_wait
        ) a;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        return query select v_row, 'refused', null::text, sqlstate, sqlerrm;
    end;
  end loop;
end;
$$;
