-- Fail runs that the caller has locked: with attempts left a new run follows, else the task ends.
--
-- p_due: explicit time of the next attempt, NULL for the task's retry strategy. p_final: no further
-- attempt. As in absurd, a next attempt at or past the end of max_duration cancels the task instead.
-- All arrays are in order of run_id.
--
-- Locks: the tasks, in the order given (with p_wait = false SKIP LOCKED: such a run is left as it is); the
-- runs' waits, SKIP LOCKED, since emit_event deletes waits without a lock on their run.
-- Returns a row for each run that was failed, with the state its task has now.
create or replace function absurd_swift.fail_runs(
  p_queue text,
  p_runs uuid[],
  p_reasons jsonb[],
  p_due timestamptz[],
  p_final boolean[],
  p_now timestamptz,
  p_wait boolean
)
  returns table(run_id uuid, task_id uuid, task_state text)
  language plpgsql
as $$
declare
  v_has_cancel_at boolean := absurd_swift.has_cancel_at(p_queue);
begin
  return query execute format($sql$
    with k as materialized (
      select i.*, r.task_id, r.attempt %4$s,
        t.max_attempts, t.retry_strategy, t.cancellation, t.first_started_at
      from unnest($1::uuid[], $2::jsonb[], $3::timestamptz[], $4::boolean[])
        as i(run_id, reason, due, final)
      join absurd.%1$I r on r.run_id = i.run_id
      join absurd.%2$I t on t.task_id = r.task_id
      for no key update of t %6$s
    ),
    n as materialized (
      select k.*,
        case when not k.final and (k.max_attempts is null or k.attempt < k.max_attempts)
          then coalesce(k.due, absurd_swift.retry_due($5, k.retry_strategy, k.attempt))
        end as next_due
      from k
    ),
    d as materialized (
      select o.*,
        case when o.next_due is not null and not o.is_over then absurd.portable_uuidv7() end as next_run,
        case
          when o.next_due is null then 'failed'
          when o.is_over then 'cancelled'
          when o.next_due > $5 then 'sleeping'
          else 'pending'
        end as task_state
      from (
        select n.*,
          (extract(epoch from greatest(n.next_due, $5)) - extract(epoch from n.first_started_at)
            >= absurd_swift.policy_seconds(n.cancellation, 'max_duration')) is true as is_over
        from n
        offset 0
      ) o
    ),
    u as (
      update absurd.%1$I r
      set state = 'failed', failed_at = $5, failure_reason = d.reason, wake_event = null
      from d
      where r.run_id = d.run_id
    ),
    a as (
      insert into absurd.%1$I (run_id, task_id, attempt, state, available_at, created_at %5$s)
      select d.next_run, d.task_id, d.attempt + 1, d.task_state, greatest(d.next_due, $5), $5 %7$s
      from d
      where d.next_run is not null
    ),
    s as (
      update absurd.%2$I t
      set state = d.task_state,
          attempts = case when d.next_run is null
            then t.attempts else greatest(t.attempts, d.attempt + 1) end,
          last_attempt_run = coalesce(d.next_run, d.run_id),
          cancelled_at = case when d.task_state = 'cancelled'
            then coalesce(t.cancelled_at, $5) else t.cancelled_at end
      from d
      where t.task_id = d.task_id
    ),
    e as materialized (
      select w.run_id, w.step_name
      from d
      -- "= any (array[...])": see wake_runs_statement.
      join absurd.%3$I w on w.run_id = any (array[d.run_id])
      for update of w skip locked
    ),
    w as (
      delete from absurd.%3$I w using e where w.run_id = any (array[e.run_id]) and w.step_name = e.step_name
    )
    select d.run_id, d.task_id, d.task_state from d
    $sql$,
    'r_' || p_queue, 't_' || p_queue, 'w_' || p_queue,
    case when v_has_cancel_at then ', r.cancel_at' else '' end,
    case when v_has_cancel_at then ', cancel_at' else '' end,
    case when p_wait then '' else 'skip locked' end,
    case when v_has_cancel_at then ', d.cancel_at' else '' end
  ) using p_runs, p_reasons, p_due, p_final, p_now;
end;
$$;
