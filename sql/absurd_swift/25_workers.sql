-- The registry of workers: who may hold runs, and whether it is still there.
--
-- A worker registers under an id that no other start of a process has (claimed_by of its runs), says that it
-- lives in beats, and deregisters at its end. Who falls silent is found by the others (36_lost_workers). Workers
-- that do not register, among them those of other SDKs, are never touched: their claims expire.
--
-- All times are the server's clock_timestamp(): absurd.fake_now, the clock of tests, would kill the living.

create table if not exists absurd_swift.workers (
  worker_id text primary key,
  queue text not null,
  -- One start of a program, whatever workers it runs.
  process text not null,
  host text not null,
  process_id integer not null,
  version text not null,
  slots integer not null,
  -- Runs under way at the last beat, or at the claim since then that found none.
  running integer not null default 0,
  restarts integer not null default 0,
  registered_at timestamptz not null default clock_timestamp(),
  beat_at timestamptz not null default clock_timestamp(),
  -- Since when beats have come without a gap: who has a gap itself does not judge others.
  steady_since timestamptz not null default clock_timestamp(),
  -- When a claim found no run under way. Apart from beat_at, whose gaps are to be seen.
  claimed_at timestamptz,
  -- When it was taken for dead: it claims nothing any more, and goes when its last run has been given up.
  lost_at timestamptz
) with (
  -- A few rows that are updated each second: room for the next version in the page, and early cleaning.
  fillfactor = 40, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0
);

-- How long a worker with runs under way may be silent: three beats.
create or replace function absurd_swift.beat_window()
  returns interval
  language sql
  immutable
as $$
  select interval '3 seconds'
$$;

-- From this gap between its own beats on, a worker has to be steady anew before it judges others. Shorter than
-- beat_window by a beat, so that an outage it has not noticed makes nobody look dead.
create or replace function absurd_swift.beat_gap()
  returns interval
  language sql
  immutable
as $$
  select interval '2 seconds'
$$;

-- How long a worker may have been silent. One that has nothing to give back beats seldom, and nothing hurries.
create or replace function absurd_swift.silence_limit(p_running integer)
  returns interval
  language sql
  immutable
as $$
  select case when p_running > 0 then absurd_swift.beat_window() else interval '20 seconds' end
$$;

-- Register a worker. An id is good for one registration: with a lost connection register again, under another.
--
-- Raises 23505 for an id that is registered.
create or replace function absurd_swift.register(
  p_worker text,
  p_queue text,
  p_process text,
  p_host text,
  p_process_id integer,
  p_version text,
  p_slots integer,
  p_restarts integer default 0
)
  returns void
  language sql
as $$
  insert into absurd_swift.workers (
    worker_id, queue, process, host, process_id, version, slots, restarts
  ) values (p_worker, p_queue, p_process, p_host, p_process_id, p_version, p_slots, p_restarts)
$$;

-- Deregister a worker that has ended.
--
-- Returns false when runs are still held under its id: then it stays, to be found silent, so that they are
-- given up. True also when it was not registered.
--
-- Locks: the worker's row, excluding its claims. Raises 55P03.
create or replace function absurd_swift.deregister(p_worker text)
  returns boolean
  language plpgsql
  set lock_timeout = '200ms'
as $$
declare
  v_queue text;
begin
  select w.queue into v_queue from absurd_swift.workers w where w.worker_id = p_worker for update;
  if not found then
    return true;
  end if;
  -- A statement after the lock, so that it sees every claim.
  if absurd_swift.holds_runs(v_queue, p_worker) then
    return false;
  end if;
  delete from absurd_swift.workers w where w.worker_id = p_worker;
  return true;
end;
$$;

-- Whether runs of a queue are held under an id.
create or replace function absurd_swift.holds_runs(p_queue text, p_worker text)
  returns boolean
  language plpgsql
  set jit = off
  set enable_seqscan = off
  set enable_bitmapscan = off
as $$
declare
  v_holds boolean := false;
begin
  if to_regclass(format('absurd.%I', 'r_' || p_queue)) is not null then
    execute format($sql$
      select exists (
        select from absurd.%1$I r
        where r.state = 'running' and r.claim_expires_at is not null and r.claimed_by = $1
      )
      $sql$,
      'r_' || p_queue
    ) into v_holds using p_worker;
  end if;
  return v_holds;
end;
$$;

-- Keep a worker from being given up before the claim that this transaction makes for it is visible.
--
-- Locks: the worker's row, shared. Returns how many runs it has under way, as note_claim wants to know. Raises AS009 for
-- one that was taken for dead or has deregistered.
create or replace function absurd_swift.hold_worker(p_worker text)
  returns integer
  language plpgsql
as $$
declare
  v_running integer;
begin
  select w.running into v_running
  from absurd_swift.workers w
  where w.worker_id = p_worker and w.lost_at is null
  for key share;
  if not found then
    raise exception 'worker % is gone from the registry', p_worker using errcode = 'AS009';
  end if;
  return v_running;
end;
$$;

-- Note that a worker which had no run under way has claimed one: from now on its silence matters.
--
-- Locks: the worker's row, SKIP LOCKED: a beat that is just locking it is a sign of life as well.
create or replace function absurd_swift.note_claim(p_worker text)
  returns void
  language sql
as $$
  with l as materialized (
    select w.worker_id
    from absurd_swift.workers w
    where w.worker_id = p_worker
    for no key update skip locked
  )
  update absurd_swift.workers w
  set running = 1, claimed_at = clock_timestamp()
  from l
  where w.worker_id = l.worker_id
$$;
