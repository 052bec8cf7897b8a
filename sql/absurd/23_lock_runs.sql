-- Locking runs in the order in which everybody locks them.

-- Lock runs, in run_id order.
--
-- Locks: the runs (for update); with p_skip_locked those that nobody else has locked.
-- Returns the runs locked, in that order. Raises nothing.
create or replace function absurd.lock_runs(p_queue_name text, p_runs uuid[], p_skip_locked boolean)
  returns uuid[]
  language plpgsql
  set enable_seqscan = off
  set enable_bitmapscan = off
  set jit = off
as $$
declare
  v_runs uuid[];
begin
  execute format($q$
    with run as materialized (
      select r.run_id
        from absurd.%I r
       where r.run_id = any ($1)
       order by r.run_id
         for update %s
    )
    select array_agg(x.run_id) from run x
    $q$, 'r_' || p_queue_name, case when p_skip_locked then 'skip locked' else '' end)
    into v_runs
    using p_runs;

  return v_runs;
end;
$$;
