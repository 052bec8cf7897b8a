-- Workers that died: their runs fail at once, an attempt spent, with the reason $WorkerLost, and are attempted
-- again after their retry delay; the worker is taken out of the registry.
--
-- Nobody leads. Any worker may find another silent, but only if it has itself been steady for the whole window:
-- after an outage, a clock step or a stall all beats are old, and whoever comes back first must not judge.
--
-- Being taken for dead is no proof: a stopped process continues. The fence refuses what it writes, the registry
-- what it claims, and its id never returns. On a final attempt, which has none after it, the verdict waits for
-- ten beats.

-- How long an observer has to be steady before it judges a worker that had nothing under way: longer than such a
-- worker may pause between beats, or a clock that was set forward would look like its silence.
create or replace function absurd_swift.idle_beat_window()
  returns interval
  language sql
  immutable
as $$
  select interval '7 seconds'
$$;

-- Give up the runs of one worker that is silent, on the word of p_observer, at most p_limit of them.
--
-- Returns no row when there is none to be found or the observer is not steady. is_out: the worker was taken out
-- of the registry. A worker that keeps final attempts, or of which rows were locked, stays; a minute later it
-- goes all the same, and what it still holds expires.
--
-- Commits without waiting for the disk or a standby, unless final attempts are given up: a stall of these would hold
-- up one observer after the other, and a verdict that a crash of the server loses is made again.
--
-- Locks: one worker's row, SKIP LOCKED, so that several observers take several workers, and a worker that is
-- just claiming is left alone; then as take_out.
create or replace function absurd_swift.reap(p_observer text, p_limit integer default 200)
  returns table(worker_id text, queue text, runs integer, is_out boolean)
  language plpgsql
  set lock_timeout = '200ms'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_worker absurd_swift.workers;
  v_steady_since timestamptz;
  v_with_final boolean;
begin
  select w.steady_since into v_steady_since
  from absurd_swift.workers w
  where w.worker_id = p_observer
    and w.lost_at is null
    and w.steady_since <= v_now - absurd_swift.beat_window()
    and w.beat_at between v_now - absurd_swift.beat_gap() and v_now;
  if not found then
    return;
  end if;

  -- After the clock was set back the living correct their beats themselves, the dead cannot.
  with l as materialized (
    select w.worker_id
    from absurd_swift.workers w
    where greatest(w.beat_at, w.claimed_at) > v_now + absurd_swift.beat_gap()
    order by w.worker_id
    for no key update skip locked
  )
  update absurd_swift.workers w set beat_at = v_now, claimed_at = null from l where w.worker_id = l.worker_id;

  select w.* into v_worker
  from absurd_swift.workers w
  where w.worker_id <> p_observer
    and absurd_swift.is_suspect(w, v_now)
    and (
      w.running > 0
      or w.lost_at is not null
      or v_steady_since <= v_now - absurd_swift.idle_beat_window()
    )
  -- Those that wait for something in random order, so that none stands before another for ever.
  order by w.lost_at is not null, random()
  limit 1
  for update skip locked;
  if not found then
    return;
  end if;
  v_with_final := greatest(v_worker.beat_at, v_worker.claimed_at) < v_now - interval '10 seconds';
  if not v_with_final then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  return query
    select v_worker.worker_id, v_worker.queue, t.runs, t.is_out
    from absurd_swift.take_out(v_worker.worker_id, v_with_final, p_limit) t;
end;
$$;

-- Give up the runs of a worker that is known to be dead, final attempts included, at most p_limit of them.
--
-- Returns a row while it is registered; call again until is_out. Locks: its row, then as take_out. Raises 55P03.
create or replace function absurd_swift.worker_lost(p_worker text, p_limit integer default 200)
  returns table(worker_id text, queue text, runs integer, is_out boolean)
  language plpgsql
  set lock_timeout = '200ms'
as $$
#variable_conflict use_column
declare
  v_worker absurd_swift.workers;
begin
  select w.* into v_worker from absurd_swift.workers w where w.worker_id = p_worker for update;
  if found then
    return query
      select v_worker.worker_id, v_worker.queue, t.runs, t.is_out
      from absurd_swift.take_out(p_worker, true, p_limit) t;
  end if;
end;
$$;

-- The same for one worker of a process that is known to be dead. Call again until there is no row.
--
-- For whoever has started the process and seen its end.
create or replace function absurd_swift.process_lost(p_process text, p_limit integer default 200)
  returns table(worker_id text, queue text, runs integer, is_out boolean)
  language sql
as $$
  select l.*
  from (
    select w.worker_id from absurd_swift.workers w where w.process = p_process order by random() limit 1
  ) w
  cross join lateral absurd_swift.worker_lost(w.worker_id, p_limit) l
$$;

-- Mark a worker as lost, whose row the caller has locked for update, fail its runs, and take it out when none is
-- left.
--
-- That lock excludes claims, which share it. The look for runs is a statement after it, so it sees those of every
-- claim that was committed.
--
-- Locks: the runs with SKIP LOCKED, then as fail_runs with SKIP LOCKED.
create or replace function absurd_swift.take_out(
  p_worker text,
  p_with_final boolean,
  p_limit integer,
  out runs integer,
  out is_out boolean
)
  language plpgsql
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
declare
  v_worker absurd_swift.workers;
begin
  update absurd_swift.workers w
  set lost_at = coalesce(w.lost_at, clock_timestamp())
  where w.worker_id = p_worker
  returning w.* into v_worker;

  runs := 0;
  if to_regclass(format('absurd.%I', 'r_' || v_worker.queue)) is not null then
    runs := absurd_swift.fail_runs_of(v_worker, p_with_final, p_limit);
  end if;
  is_out := v_worker.lost_at < clock_timestamp() - interval '1 minute'
    or not absurd_swift.holds_runs(v_worker.queue, p_worker);
  if is_out then
    delete from absurd_swift.workers w where w.worker_id = p_worker;
  end if;
  -- The idle session that the others count on may have died with the worker.
  if runs > 0 then
    perform pg_notify(absurd_swift.wake_channel(v_worker.queue), 'next');
  end if;
end;
$$;

-- Fail up to p_limit runs that a worker holds. Returns how many were failed.
create or replace function absurd_swift.fail_runs_of(
  p_worker absurd_swift.workers,
  p_with_final boolean,
  p_limit integer
)
  returns integer
  language plpgsql
as $$
declare
  v_runs uuid[];
  v_reasons jsonb[];
begin
  execute format($sql$
    select array_agg(x.run_id order by x.run_id), array_agg(x.reason order by x.run_id)
    from (
      select r.run_id,
        jsonb_build_object(
          'name', '$WorkerLost',
          'message', 'the worker died or fell silent while it held the run',
          'workerId', r.claimed_by,
          'lastSeenAt', greatest($2.beat_at, $2.claimed_at),
          'attempt', r.attempt
        ) as reason
      from absurd.%1$I r
      join absurd.%2$I t on t.task_id = r.task_id
      where r.state = 'running'
        and r.claim_expires_at is not null
        and r.claimed_by = $2.worker_id
        and ($3 or t.max_attempts is null or r.attempt < t.max_attempts)
      limit $1
      for update of r skip locked
    ) x
    $sql$,
    'r_' || p_worker.queue, 't_' || p_worker.queue
  ) into v_runs, v_reasons using p_limit, p_worker, p_with_final;
  return absurd_swift.fail_each(p_worker.queue, v_runs, v_reasons, absurd.current_time());
end;
$$;
