-- After tasks ended: tell programs that listen for their results (87_result_listeners), wake the runs that
-- are parked until then (await_task), and drop what the ended runs themselves had registered.
--
-- Must be a statement after the one that changed the task rows: the parent registers under a share lock
-- on its child's task row, so by then its registration is visible. A registration whose run is no longer
-- parked under that token is dropped without effect.
--
-- Locks: those of notify_results; what the ended runs had registered, registrations of the tasks, then of each queue
-- the parked runs with their tasks; all SKIP LOCKED. A registration that is locked is being dropped by the end of the
-- awaited task; should that be undone, it stays until the task's next end, without effect. A run that is locked is
-- being claimed or cancelled, or looks for itself at its poll.
create or replace function absurd_swift.wake_result_waits(
  p_queue text,
  p_tasks uuid[],
  p_runs uuid[],
  p_now timestamptz
)
  returns void
  language plpgsql
as $$
declare
  v_queue text;
  v_runs uuid[];
  v_tokens timestamptz[];
begin
  perform absurd_swift.notify_results(p_queue, p_tasks);
  if exists (select from absurd_swift.result_waits w where w.queue = p_queue) then
    with l as materialized (
      select w.task_queue, w.task_id, w.queue, w.run_id
      from absurd_swift.result_waits w
      where w.queue = p_queue and w.run_id = any (p_runs)
      for update skip locked
    )
    delete from absurd_swift.result_waits w
    using l
    where w.task_queue = l.task_queue and w.task_id = l.task_id
      and w.queue = l.queue and w.run_id = l.run_id;
  end if;
  if p_tasks is null
    or not exists (select from absurd_swift.result_waits w where w.task_queue = p_queue)
  then
    return;
  end if;
  for v_queue, v_runs, v_tokens in
    with l as materialized (
      select w.task_queue, w.task_id, w.queue, w.run_id
      from absurd_swift.result_waits w
      where w.task_queue = p_queue and w.task_id = any (p_tasks)
      for update skip locked
    ),
    d as (
      delete from absurd_swift.result_waits w
      using l
      where w.task_queue = l.task_queue and w.task_id = l.task_id
        and w.queue = l.queue and w.run_id = l.run_id
      returning w.queue, w.run_id, w.token
    )
    select d.queue, array_agg(d.run_id), array_agg(d.token) from d group by d.queue order by d.queue
  loop
    -- The parent's queue may have been dropped.
    continue when to_regclass(format('absurd.%I', 'r_' || v_queue)) is null;
    execute format($sql$
      with l as materialized (
        select r.run_id, r.task_id
        from unnest($1::uuid[], $2::timestamptz[]) i(run_id, token)
        join absurd.%1$I r on r.run_id = i.run_id
        join absurd.%2$I t on t.task_id = r.task_id
        -- One condition, so that the planner does not begin with tasks that seem to be few.
        where (
            r.state = 'sleeping' and r.started_at = i.token and r.wake_event is null and t.state = 'sleeping'
          ) is true
        order by r.run_id
        for update of r, t skip locked
      ),
      u as (
        -- wake_event is named because triggers that announce due runs watch that column.
        update absurd.%1$I r set state = 'pending', available_at = $3, wake_event = null
        from l
        where r.run_id = l.run_id
      )
      update absurd.%2$I t set state = 'pending' from l where t.task_id = l.task_id
      $sql$,
      'r_' || v_queue, 't_' || v_queue
    ) using v_runs, v_tokens, p_now;
  end loop;
end;
$$;
