-- Cancel tasks that are not terminal, with all their open runs, and wake what waited for them.
--
-- Locks: the tasks' open runs by run_id, then the tasks by task_id; with p_wait = false SKIP LOCKED,
-- and a task of which anything is locked elsewhere is left alone. Then the tasks' waits, always SKIP LOCKED,
-- since emit_event deletes waits without a lock on their run; one that is left means nothing to it and goes
-- with its task.
-- Returns the tasks that were cancelled.
create or replace function absurd_swift.cancel_tasks(
  p_queue text,
  p_tasks uuid[],
  p_now timestamptz,
  p_wait boolean
)
  returns table(task_id uuid)
  language plpgsql
  -- Off in claim; to lock in order of run_id without sorting is a scan of all runs.
  set enable_sort = on
as $$
declare
  v_runs uuid[];
  v_tasks uuid[];
begin
  execute format($sql$
    select array_agg(l.run_id)
    from (
      select r.run_id
      from absurd.%1$I r
      -- Not a join: without statistics a scan of all runs in the wanted order looks cheaper than the lookups.
      where r.run_id = any (array(
          select o.run_id
          from (select distinct x.task_id from unnest($1) x(task_id)) i
          cross join lateral (
            select c.run_id
            from absurd.%1$I c
            where c.task_id = i.task_id and (c.state in ('pending', 'sleeping', 'running')) is true
            offset 0
          ) o
        ))
        and (r.state in ('pending', 'sleeping', 'running')) is true
      order by r.run_id
      for update of r %2$s
    ) l
    $sql$,
    'r_' || p_queue, case when p_wait then '' else 'skip locked' end
  ) into v_runs using p_tasks;

  -- A statement of its own, so that it sees a run that a retry made while the locks were waited for.
  -- Such a run needs no waiting: nobody but a claim that skips locked rows can be after it.
  execute format($sql$
    select array_agg(l.task_id)
    from (select distinct x.task_id from unnest($1) x(task_id) order by x.task_id) i
    cross join lateral (
      select t.task_id
      from absurd.%2$I t
      where t.task_id = i.task_id
        and t.state in ('pending', 'sleeping', 'running')
        and ($3 or not exists (
          select from absurd.%1$I r
          where r.task_id = t.task_id
            and (r.state in ('pending', 'sleeping', 'running')) is true
            and r.run_id <> all (coalesce($2, '{}'))
        ))
      for update of t %3$s
    ) l
    $sql$,
    'r_' || p_queue, 't_' || p_queue, case when p_wait then '' else 'skip locked' end
  ) into v_tasks using p_tasks, v_runs, p_wait;

  if v_tasks is null then
    return;
  end if;
  execute format($sql$
    with i as materialized (select x.task_id from unnest($1) x(task_id)),
    u as (
      update absurd.%1$I r
      set state = 'cancelled', claimed_by = null, claim_expires_at = null
      -- Not a plain join: when the table was analyzed with hardly an open run, looking for all of them seems cheaper.
      from i
      cross join lateral (
        select c.run_id
        from absurd.%1$I c
        where c.task_id = i.task_id and (c.state in ('pending', 'sleeping', 'running')) is true
        offset 0
      ) o
      -- Its state needs no second look: who changes that of an open run writes the task too, which is locked here.
      where r.run_id = o.run_id
    ),
    e as materialized (
      -- "= any (array[...])": see wake_runs_statement.
      select w.run_id, w.step_name
      from i
      join absurd.%3$I w on w.task_id = any (array[i.task_id])
      for update of w skip locked
    ),
    w as (
      delete from absurd.%3$I w using e where w.run_id = any (array[e.run_id]) and w.step_name = e.step_name
    )
    update absurd.%2$I t
    set state = 'cancelled', cancelled_at = coalesce(t.cancelled_at, $2)
    from i
    where t.task_id = i.task_id
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue
  ) using v_tasks, p_now;
  perform absurd_swift.wake_result_waits(p_queue, v_tasks, v_runs, p_now);
  return query select unnest(v_tasks);
end;
$$;
