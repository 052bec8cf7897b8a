-- Runs that a worker holds and does not know of: those of a claim that was committed and whose answer was lost.
--
-- Left alone they would stay claimed until their claims expire, and then have cost an attempt.

-- Give back all runs that are held under p_worker, but for the claims (p_runs, p_tokens) that it knows of: due now,
-- the attempt unspent, as release of finish does.
--
-- For a worker that has no claim under way: the runs of one would be taken for strays. The lost claim may be: it
-- can be committed after this look, so look again later. Claims without expiry, which workers do not make, are not
-- found: they are in no index.
--
-- Locks: the runs by run_id with their tasks, SKIP LOCKED; what is locked is left for the next call.
-- Returns how many were given back. Raises AS001, 42P01, 22004.
create or replace function absurd_swift.give_back_strays(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[]
)
  returns integer
  language plpgsql
  set jit = off
  set enable_seqscan = off
  set enable_mergejoin = off
  set enable_hashjoin = off
  set enable_bitmapscan = off
as $$
declare
  v_count integer;
begin
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(cardinality(p_runs), cardinality(p_tokens));
  execute format($sql$
    with l as materialized (
      select r.run_id, r.task_id
      from absurd.%1$I r
      join absurd.%2$I t on t.task_id = r.task_id
      where r.state = 'running'
        and r.claim_expires_at is not null
        and r.claimed_by = $1
        -- "is not true" keeps this a hashed lookup.
        and ((r.run_id, r.started_at) in (
          select k.run_id, k.token from unnest($2::uuid[], $3::timestamptz[]) k(run_id, token)
        )) is not true
      order by r.run_id
      for no key update of r, t skip locked
    ),
    u as (
      -- wake_event as release keeps it, named because triggers that announce due runs watch that column.
      update absurd.%1$I r
      set state = 'pending',
          claimed_by = null,
          claim_expires_at = null,
          available_at = $4,
          wake_event = r.wake_event
      from l
      where r.run_id = l.run_id
    ),
    s as (
      update absurd.%2$I t set state = 'pending' from l where t.task_id = l.task_id
    )
    select count(*)::integer from l
    $sql$,
    'r_' || p_queue, 't_' || p_queue
  ) into v_count using p_worker, p_runs, p_tokens, absurd.current_time();
  return v_count;
end;
$$;
