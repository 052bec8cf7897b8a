-- Signs of life, of all workers of a process together, and what they show of the others.

-- Say that workers live and what they have under way.
--
-- p_is_steady: false when the process knows of a gap itself, such as a beat that failed.
--
-- gone: those that are registered no more. They have been taken for dead, and register under new ids.
-- others_run: whether some other worker has runs under way, so that somebody has to watch.
-- suspects: whether some other worker has been silent too long. observer: in that case, which of these workers has
-- been steady for long enough to act on it (36_lost_workers), if any.
--
-- Commits without waiting for the disk or a standby: a beat that a crash of the server loses is followed by
-- others, and all workers wait alike until they have been steady again.
--
-- Locks: the workers' own rows by worker_id. Raises AS001, 55P03.
create or replace function absurd_swift.beat(
  p_workers text[],
  p_running integer[],
  p_restarts integer[],
  p_is_steady boolean default true,
  out gone text[],
  out others_run boolean,
  out suspects boolean,
  out observer text
)
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
as $$
declare
  v_now timestamptz;
  v_known text[];
begin
  perform absurd_swift.require_equal_lengths(
    cardinality(p_workers), cardinality(p_running), cardinality(p_restarts)
  );
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(l.worker_id) into v_known
  from (
    select w.worker_id
    from absurd_swift.workers w
    where w.worker_id = any (p_workers) and w.lost_at is null
    order by w.worker_id
    for no key update of w
  ) l;
  -- Read when the locks have been waited for, or the wait would look like silence.
  v_now := clock_timestamp();
  with u as (
    update absurd_swift.workers w
    set running = i.running,
        restarts = i.restarts,
        beat_at = v_now,
        -- A clock that has been set back is a gap, too.
        steady_since = case
          when p_is_steady and w.beat_at between v_now - absurd_swift.beat_gap() and v_now
            and w.steady_since <= v_now
            then w.steady_since
          else v_now
        end
    from unnest(p_workers, p_running, p_restarts) i(worker_id, running, restarts)
    where w.worker_id = i.worker_id and w.worker_id = any (v_known)
    returning w.worker_id, w.steady_since
  )
  select min(u.worker_id) into observer from u where u.steady_since <= v_now - absurd_swift.beat_window();

  gone := array(select x.id from unnest(p_workers) x(id) where (x.id = any (v_known)) is not true);
  select coalesce(bool_or(w.running > 0), false), coalesce(bool_or(absurd_swift.is_suspect(w, v_now)), false)
  into others_run, suspects
  from absurd_swift.workers w
  where w.worker_id <> all (p_workers);
  if not suspects then
    observer := null;
  end if;
end;
$$;

-- Whether a worker is to be given up, or its beats lie in the future because the clock was set back.
create or replace function absurd_swift.is_suspect(p_worker absurd_swift.workers, p_now timestamptz)
  returns boolean
  language sql
  immutable
as $$
  select p_worker.lost_at is not null
    or greatest(p_worker.beat_at, p_worker.claimed_at) not between
      p_now - absurd_swift.silence_limit(p_worker.running) and p_now + absurd_swift.beat_gap()
$$;
