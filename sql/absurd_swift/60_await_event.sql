-- Await events for claimed runs: take the payload when it is there, else park the run until it comes.
--
-- p_timeouts: seconds to wait, NULL for no deadline. p_park false: only look.
-- Per row: a checkpoint of the step answers at once; an emitted event is stored as that checkpoint; a run
-- that was resumed by the deadline of this event takes that as its answer, once; else it is parked
-- or, without p_park, left as it is. An event that came after the deadline is delivered all the same.
--
-- Answers received (with payload, possibly JSON null), timed_out, parked (also for a resend), absent,
-- lost, cancelled, failed, refused, busy.
--
-- Locks: the awaited events' rows by name, shared, after making placeholders for those missing: this
-- excludes emit_event, so that no wake-up is lost; then the runs that pass the fence by run_id, their
-- tasks, checkpoints, waits. With p_wait = false events, runs and tasks SKIP LOCKED.
-- Raises AS001, 42P01, 55P03, 40P01.
create or replace function absurd_swift.await_event(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_events text[],
  p_timeouts double precision[],
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
    cardinality(p_runs), cardinality(p_tokens), cardinality(p_steps), cardinality(p_events),
    cardinality(p_timeouts), cardinality(p_park)
  );
  if cardinality(p_runs) > 1 and not absurd_swift.has_duplicates(p_runs) then
    begin
      return query select * from absurd_swift.await_event_rows(
        p_queue, p_worker, p_runs, p_tokens, p_steps, p_events, p_timeouts, p_park, p_wait
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
        from absurd_swift.await_event_rows(
          p_queue, p_worker, p_runs[v_row:v_row], p_tokens[v_row:v_row], p_steps[v_row:v_row],
          p_events[v_row:v_row], p_timeouts[v_row:v_row], p_park[v_row:v_row], p_wait
        ) a;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        return query select v_row, 'refused', null::text, sqlstate, sqlerrm;
    end;
  end loop;
end;
$$;
