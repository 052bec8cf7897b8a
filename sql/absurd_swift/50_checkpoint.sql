-- Store checkpoints of claimed runs; a run may appear with several steps.
--
-- First write wins: an existing checkpoint is kept and comes back in state, so that a handler goes on
-- with what later executions will see, and a resend is harmless. The claim is renewed (p_claim_timeouts
-- seconds, NULL for not) by the rule of renewed_expiry.
--
-- Answers stored, kept, lost, cancelled, failed, refused, busy.
--
-- Locks: the runs that pass the fence by run_id, then the checkpoints. The run lock is taken even when
-- nothing is renewed: it keeps release, cancel and takeover out until this write is committed.
-- Raises AS001, 42P01, 55P03, 40P01.
create or replace function absurd_swift.checkpoint(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_steps text[],
  p_states text[],
  p_claim_timeouts integer[],
  p_wait boolean default true
)
  returns table(
    "position" integer, answer text, state text, claim_expires_at timestamptz, sqlstate text, message text
  )
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
    cardinality(p_runs), cardinality(p_tokens), cardinality(p_steps), cardinality(p_states),
    cardinality(p_claim_timeouts)
  );
  if cardinality(p_runs) > 1 then
    foreach v_careful in array array[false, true] loop
      begin
        return query select * from absurd_swift.checkpoint_rows(
          p_queue, p_worker, p_runs, p_tokens, p_steps, p_states, p_claim_timeouts, p_wait, v_careful
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
      return query
        select v_row, c.answer, c.state, c.claim_expires_at, c.sqlstate, c.message
        from absurd_swift.checkpoint_rows(
          p_queue, p_worker, p_runs[v_row:v_row], p_tokens[v_row:v_row], p_steps[v_row:v_row],
          p_states[v_row:v_row], p_claim_timeouts[v_row:v_row], p_wait, false
        ) c;
    exception
      when data_exception or integrity_constraint_violation or program_limit_exceeded then
        return query
          select v_row, 'refused', null::text, null::timestamptz, sqlstate, sqlerrm;
    end;
  end loop;
end;
$$;
