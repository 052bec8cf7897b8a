-- Cancel tasks with all their open runs. The holder of a run learns of it at its next write.
--
-- Answers cancelled, unchanged (it had ended before) or unknown, with the task's state now.
--
-- Locks: the tasks' open runs by run_id, then the tasks by task_id; then what wake_result_waits locks.
-- Raises 42P01, 55P03, 40P01.
create or replace function absurd_swift.cancel(p_queue text, p_tasks uuid[])
  returns table("position" integer, answer text, task_state text)
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
declare
  v_cancelled uuid[];
begin
  select coalesce(array_agg(c.task_id), '{}')
  into v_cancelled
  from absurd_swift.cancel_tasks(p_queue, p_tasks, absurd.current_time(), true) c;

  return query execute format($sql$
    select i.ordinality::integer,
      case
        when t.task_id is null then 'unknown'
        when t.task_id = any ($2) then 'cancelled'
        else 'unchanged'
      end,
      t.state
    from unnest($1) with ordinality i(task_id, ordinality)
    left join absurd.%1$I t on t.task_id = i.task_id
    $sql$,
    't_' || p_queue
  ) using p_tasks, v_cancelled;
end;
$$;
