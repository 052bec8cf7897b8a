-- Claim up to p_limit due runs of a queue, oldest first.
--
-- p_claim_timeout: seconds, 0 for a claim without expiry. p_limit 0 sweeps only. p_due_from: lower
-- bound of the due time; a worker passes the smallest due time of its last batch, so that the entries
-- of finished runs, which an open transaction keeps in the index, are not read again and again. Runs
-- due earlier need a claim without bound now and then. p_sweep: first cancel by policy and fail
-- expired claims (32_sweeps); what these set free is claimed by the same call.
--
-- Locks: of each due run the run row, then the task row, SKIP LOCKED; expired waits of the claimed
-- runs, SKIP LOCKED, since emit_event deletes waits without a lock on their run.
-- Returns a row per claimed run, in order of due time; token is the third part of the fence.
-- Raises 42P01 for an unknown queue.
create or replace function absurd_swift.claim(
  p_queue text,
  p_worker text,
  p_claim_timeout integer,
  p_limit integer,
  p_due_from timestamptz default null,
  p_sweep boolean default true
)
  returns table(
    run_id uuid,
    task_id uuid,
    attempt integer,
    task_name text,
    params text,
    retry_strategy text,
    max_attempts integer,
    headers text,
    wake_event text,
    event_payload text,
    token timestamptz,
    claim_expires_at timestamptz,
    due timestamptz,
    resumed boolean
  )
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
  set enable_sort = off
as $$
declare
  v_limit integer := greatest(coalesce(p_limit, 1), 0);
  v_timeout integer := greatest(coalesce(p_claim_timeout, 30), 0);
begin
  if p_sweep then
    perform absurd_swift.sweep_policies(p_queue, greatest(v_limit, 100));
    perform absurd_swift.sweep_claims(p_queue, greatest(v_limit, 100));
  end if;
  if v_limit = 0 then
    return;
  end if;
  -- The clock is read after the sweeps, so that the retries they made are due for this claim.
  return query
    select * from absurd_swift.claim_due(
      p_queue,
      coalesce(nullif(p_worker, ''), 'worker'),
      v_timeout,
      v_limit,
      coalesce(p_due_from, '-infinity'),
      absurd.current_time()
    );
end;
$$;
