-- What the functions that write under claims share.

-- Answer for a row that did not pass the fence. A run that would pass it now was only locked.
create or replace function absurd_swift.verdict(
  p_task_state text,
  p_run_state text,
  p_is_claim boolean
)
  returns text
  language sql
  immutable
as $$
  select case
    when p_task_state = 'cancelled' or p_run_state = 'cancelled' then 'cancelled'
    when p_run_state = 'failed' then 'failed'
    when p_run_state = 'running' and p_is_claim then 'busy'
    else 'lost'
  end
$$;

-- End of a claim after a write at p_now: renewed to the full timeout once less than two thirds of it
-- is left, else as it was. Each renewal changes an index entry, which halves the rate of checkpoints.
-- Never shortens; a claim without expiry, and a call without timeout, stay as they are.
create or replace function absurd_swift.renewed_expiry(
  p_expires timestamptz,
  p_now timestamptz,
  p_timeout integer
)
  returns timestamptz
  language sql
  immutable
as $$
  select case
    when p_timeout > 0 and p_expires < p_now + make_interval(secs => p_timeout * 2.0 / 3)
      then p_now + make_interval(secs => p_timeout)
    else p_expires
  end
$$;

-- Lock the runs that pass the fence by run_id; with p_wait = false only those free, with their tasks.
create or replace function absurd_swift.lock_claims(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_wait boolean
)
  returns void
  language plpgsql
as $$
begin
  execute format($sql$
    select count(*) from (
      select 1
      from unnest($2::uuid[], $3::timestamptz[]) i(run_id, token)
      join absurd.%1$I r on r.run_id = i.run_id
      %2$s
      where (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      %3$s
    ) l
    $sql$,
    'r_' || p_queue, absurd_swift.claim_task_join(p_queue, p_wait), absurd_swift.claim_lock(p_wait)
  ) using p_worker, p_runs, p_tokens;
end;
$$;

-- The two pieces by which statements that lock claims differ. Waiting, tasks are locked after the runs,
-- by their own update; skipping, a run whose task is locked must not be taken in the first place.
create or replace function absurd_swift.claim_lock(p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select case when p_wait then 'for no key update of r' else 'for no key update of r, t skip locked' end
$$;

create or replace function absurd_swift.claim_task_join(p_queue text, p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select case when p_wait then '' else format('join absurd.%I t on t.task_id = r.task_id', 't_' || p_queue) end
$$;

-- Answers for rows of the awaits that did not pass the fence: parked by an earlier send of the same
-- call, or the claim is gone.
create or replace function absurd_swift.parked_rest(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_answered boolean[]
)
  returns table("position" integer, answer text)
  language plpgsql
as $$
begin
  return query execute format($sql$
    select i.position,
      case when r.state in ('pending', 'sleeping') and r.started_at = i.token then 'parked'
        else absurd_swift.verdict(t.state, r.state, r.claimed_by = $1 and r.started_at = i.token) end
    from (
      select x.ordinality::integer as position, x.run_id, x.token
      from unnest($2::uuid[], $3::timestamptz[], $4::boolean[])
        with ordinality x(run_id, token, answered, ordinality)
      where not x.answered
    ) i
    left join absurd.%1$I r on r.run_id = i.run_id
    left join absurd.%2$I t on t.task_id = r.task_id
    $sql$,
    'r_' || p_queue, 't_' || p_queue
  ) using p_worker, p_runs, p_tokens, p_answered;
end;
$$;
