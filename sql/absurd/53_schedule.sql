-- Putting a run to sleep.

-- Let a running run sleep until a time; it is claimed again as the same attempt.
--
-- Locks: the run, then the task.
-- Raises P0001 when the run is unknown or not running, whatever the reason; 23502 without a time.
create or replace function absurd.schedule_run(
  p_queue_name text,
  p_run_id uuid,
  p_wake_at timestamptz
)
  returns void
  language plpgsql
as $$
declare
  v_task_id uuid;
begin
  execute format($q$
    update absurd.%I r
       set state = 'sleeping',
           claimed_by = null,
           claim_expires_at = null,
           available_at = $2,
           wake_event = null
     where r.run_id = $1
       and r.state = 'running'
    returning r.task_id
    $q$, 'r_' || p_queue_name)
    into v_task_id
    using p_run_id, p_wake_at;

  if v_task_id is null then
    raise exception 'run % of queue "%" is not currently running', p_run_id, p_queue_name;
  end if;

  execute format($q$
    update absurd.%I t
       set state = 'sleeping'
     where t.task_id = $1
    $q$, 't_' || p_queue_name)
    using v_task_id;
end;
$$;
