-- Renew claims by the rule of renewed_expiry (p_claim_timeouts seconds, NULL for only looking).
--
-- Answers renewed (also when so much is left that nothing was written), lost, cancelled, failed, busy.
--
-- Locks: the runs that pass the fence by run_id; with p_wait = false SKIP LOCKED.
-- Raises AS001, 42P01, 55P03, 40P01.
create or replace function absurd_swift.renew(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_claim_timeouts integer[],
  p_wait boolean default true
)
  returns table("position" integer, answer text, claim_expires_at timestamptz)
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
  v_answered boolean[] := array_fill(false, array[cardinality(p_runs)]);
begin
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(
    cardinality(p_runs), cardinality(p_tokens), cardinality(p_claim_timeouts)
  );
  for "position", answer, claim_expires_at in execute coalesce(
    case when p_wait then absurd_swift.planned_call('renew', p_queue, 5) end,
    absurd_swift.renew_statement(p_queue, p_wait)
  ) using p_worker, p_runs, p_tokens, p_claim_timeouts, absurd.current_time()
  loop
    v_answered["position"] := true;
    return next;
  end loop;

  if false = any (v_answered) then
    return query execute format($sql$
      select i.position,
        absurd_swift.verdict(t.state, r.state, r.claimed_by = $1 and r.started_at = i.token),
        null::timestamptz
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
    ) using p_worker, p_runs, p_tokens, v_answered;
  end if;
end;
$$;

-- The statement that renews the runs $2 with tokens $3 by the time-outs $4, for worker $1 at $5.
create or replace function absurd_swift.renew_statement(p_queue text, p_wait boolean)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with l as materialized (
      select i.ordinality::integer as position, r.run_id, r.claim_expires_at,
        absurd_swift.renewed_expiry(r.claim_expires_at, $5, i.timeout) as renewed
      from unnest($2::uuid[], $3::timestamptz[], $4::integer[])
        with ordinality i(run_id, token, timeout, ordinality)
      join absurd.%1$I r on r.run_id = i.run_id
      where (r.state = 'running' and r.claimed_by = $1 and r.started_at = i.token) is true
      order by r.run_id
      for no key update of r %2$s
    ),
    u as (
      update absurd.%1$I r
      set claim_expires_at = l.renewed
      from l
      where r.run_id = l.run_id and l.renewed > l.claim_expires_at
    )
    select l.position, 'renewed', l.renewed from l
        $sql$, 'r_' || p_queue, case when p_wait then '' else 'skip locked' end)
$$;
