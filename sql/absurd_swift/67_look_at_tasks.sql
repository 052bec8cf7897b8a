-- Look at the awaited tasks of one queue, locking shared those that a row may park on.
--
-- Returns a row for each position whose task exists: ended with its snapshot, open, or locked (only with
-- p_wait = false: not ended, and somebody may be ending it).
create or replace function absurd_swift.look_at_tasks(
  p_task_queue text,
  p_task_queues text[],
  p_tasks uuid[],
  p_park boolean[],
  p_wait boolean
)
  returns table("position" integer, found text, snapshot jsonb)
  language plpgsql
as $$
declare
  v_locked uuid[];
begin
  execute format($sql$
    select array_agg(l.task_id)
    from (
      select t.task_id
      from (
        select distinct x.task_id
        from unnest($2::text[], $3::uuid[], $4::boolean[]) x(queue, task_id, park)
        where x.queue = $1 and x.park
      ) i
      join absurd.%1$I t on t.task_id = i.task_id
      order by t.task_id
      for share of t %2$s
    ) l
    $sql$,
    't_' || p_task_queue, case when p_wait then '' else 'skip locked' end
  ) into v_locked using p_task_queue, p_task_queues, p_tasks, p_park;

  return query execute format($sql$
    select i.position,
      case
        when t.state in ('completed', 'failed', 'cancelled') then 'ended'
        when i.park and not t.task_id = any ($5) then 'locked'
        else 'open'
      end,
      case t.state
        when 'completed' then jsonb_build_object('state', t.state, 'result', t.completed_payload)
        when 'failed' then jsonb_build_object('state', t.state, 'failure', r.failure_reason)
        when 'cancelled' then jsonb_build_object('state', t.state)
      end
    from (
      select x.ordinality::integer as position, x.task_id, x.park
      from unnest($2::text[], $3::uuid[], $4::boolean[]) with ordinality x(queue, task_id, park, ordinality)
      where x.queue = $1
    ) i
    join absurd.%1$I t on t.task_id = i.task_id
    left join absurd.%2$I r on r.run_id = t.last_attempt_run
    $sql$,
    't_' || p_task_queue, 'r_' || p_task_queue
  ) using p_task_queue, p_task_queues, p_tasks, p_park, coalesce(v_locked, '{}');
end;
$$;
