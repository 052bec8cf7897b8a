-- Ending a run well, and the errors of runs that have ended otherwise.

-- Complete a run and its task. Whether the lease has passed is not asked: a run that was not failed yet
-- may still complete.
--
-- Locks: the run, then the task, then the run's waits.
-- Raises AB001 when the run is cancelled, AB002 when it has failed; P0001 when it is unknown or in
-- another state, completed included.
create or replace function absurd.complete_run(
  p_queue_name text,
  p_run_id uuid,
  p_state jsonb default null
)
  returns void
  language plpgsql
as $$
declare
  v_task_id uuid;
begin
  -- One plain statement per table: by primary key they are planned faster than one that joins them.
  execute format($q$
    update absurd.%I r
       set state = 'completed',
           completed_at = $2,
           result = $3
     where r.run_id = $1
       and r.state = 'running'
    returning r.task_id
    $q$, 'r_' || p_queue_name)
    into v_task_id
    using p_run_id, absurd.current_time(), p_state;

  if v_task_id is null then
    perform absurd.raise_not_running(p_queue_name, p_run_id);
  end if;

  execute format($q$
    update absurd.%I t
       set state = 'completed',
           completed_payload = $2,
           last_attempt_run = $3
     where t.task_id = $1
    $q$, 't_' || p_queue_name)
    using v_task_id, p_state, p_run_id;

  execute format('delete from absurd.%I w where w.run_id = $1', 'w_' || p_queue_name)
    using p_run_id;
end;
$$;

-- Say why a run cannot be worked on.
--
-- Locks: none.
-- Raises AB001 when the run is cancelled, AB002 when it has failed, else P0001.
create or replace function absurd.raise_not_running(p_queue_name text, p_run_id uuid)
  returns void
  language plpgsql
as $$
declare
  v_state text;
begin
  execute format('select r.state from absurd.%I r where r.run_id = $1', 'r_' || p_queue_name)
    into v_state
    using p_run_id;

  case v_state
    when 'cancelled' then
      raise exception 'run % of queue "%" was cancelled', p_run_id, p_queue_name
        using errcode = 'AB001';
    when 'failed' then
      raise exception 'run % of queue "%" has already failed', p_run_id, p_queue_name
        using errcode = 'AB002';
    else
      if v_state is null then
        raise exception 'run % not found in queue "%"', p_run_id, p_queue_name;
      end if;
      raise exception 'run % of queue "%" is not currently running: it is %',
        p_run_id, p_queue_name, v_state;
  end case;
end;
$$;
