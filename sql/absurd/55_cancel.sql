-- Cancelling.

-- Cancel a task with its live run; a worker that executes it learns of it at its next call. A task that
-- has ended is left as it is.
--
-- Locks: the live runs in run_id order, then the task, then its waits. The task is not touched before its
-- live run is locked: whoever holds the run may be about to lock the task.
-- Raises P0001 when the task is unknown.
create or replace function absurd.cancel_task(p_queue_name text, p_task_id uuid)
  returns void
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_state text;
  v_has_live_run boolean;
  v_locked bigint;
  v_cancelled boolean;
begin
  loop
    execute format($q$
      select r.run_id
        from absurd.%I r
       where r.task_id = $1
         and r.state in ('pending', 'sleeping', 'running')
       order by r.run_id
         for update
      $q$, 'r_' || p_queue_name)
      using p_task_id;
    get diagnostics v_locked = row_count;

    exit when v_locked > 0;

    execute format($q$
      select t.state,
             exists (
               select from absurd.%2$I r
                where r.task_id = t.task_id
                  and r.state in ('pending', 'sleeping', 'running'))
        from absurd.%1$I t
       where t.task_id = $1
      $q$, 't_' || p_queue_name, 'r_' || p_queue_name)
      into v_state, v_has_live_run
      using p_task_id;

    if v_state is null then
      raise exception 'task % not found in queue "%"', p_task_id, p_queue_name;
    end if;

    if v_state in ('completed', 'failed', 'cancelled') then
      return;
    end if;

    -- While the lock was awaited the run failed and the next attempt took its place: lock that one. A
    -- live task without a live run does not arise here; it is cancelled all the same.
    exit when not v_has_live_run;
  end loop;

  execute format($q$
    with task as (
      update absurd.%1$I t
         set state = 'cancelled',
             cancelled_at = coalesce(t.cancelled_at, $2)
       where t.task_id = $1
         and t.state in ('pending', 'sleeping', 'running')
      returning t.task_id
    ), run as (
      update absurd.%2$I r
         set state = 'cancelled',
             claimed_by = null,
             claim_expires_at = null
        from task
       where r.task_id = $1
         and r.state in ('pending', 'sleeping', 'running')
    ), waits as (
      delete from absurd.%3$I w
       where w.task_id = $1
         and exists (select from task)
    )
    select exists (select from task)
    $q$, 't_' || p_queue_name, 'r_' || p_queue_name, 'w_' || p_queue_name)
    into v_cancelled
    using p_task_id, v_now;

  if not v_cancelled then
    raise exception 'task % not found in queue "%"', p_task_id, p_queue_name;
  end if;
end;
$$;
