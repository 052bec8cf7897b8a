-- Renewing a lease.

-- Renew a running run's lease to p_extend_by seconds from now, whatever is left of it.
--
-- Locks: the run, then the task.
-- Raises AB001 when the task is cancelled, AB002 when the run has failed; P0001 when p_extend_by is not
-- above 0, when the run is unknown or not running, and when its lease does not end.
create or replace function absurd.extend_claim(
  p_queue_name text,
  p_run_id uuid,
  p_extend_by integer
)
  returns void
  language plpgsql
as $$
declare
  v_run record;
begin
  if p_extend_by is null or p_extend_by <= 0 then
    raise exception 'extend_by must be > 0 (run %)', p_run_id;
  end if;

  execute format($q$
    select r.state, r.claim_expires_at, t.task_id, t.state as task_state
      from absurd.%1$I r
      join absurd.%2$I t on t.task_id = r.task_id
     where r.run_id = $1
       for update of r, t
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_run
    using p_run_id;

  if v_run.task_state = 'cancelled' then
    raise exception 'task % of queue "%" was cancelled', v_run.task_id, p_queue_name
      using errcode = 'AB001';
  end if;

  if v_run.state is distinct from 'running' then
    perform absurd.raise_not_running(p_queue_name, p_run_id);
  end if;

  if v_run.claim_expires_at is null then
    raise exception 'the claim of run % of queue "%" does not expire', p_run_id, p_queue_name;
  end if;

  execute format('update absurd.%I r set claim_expires_at = $2 where r.run_id = $1', 'r_' || p_queue_name)
    using p_run_id, absurd.current_time() + make_interval(secs => p_extend_by);
end;
$$;
