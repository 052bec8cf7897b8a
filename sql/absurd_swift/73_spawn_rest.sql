-- Answers for the rows of spawn that made nothing: a resend, or the key belongs to another task.
create or replace function absurd_swift.spawn_rest(
  p_queue text,
  p_task_ids uuid[],
  p_run_ids uuid[],
  p_options text[],
  p_answered boolean[],
  p_is_partitioned boolean
)
  returns table(
    "position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,
    message text
  )
  language plpgsql
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
begin
  return query execute format($sql$
    select i.position,
      case when s.task_id is not null then i.task_id else h.task_id end,
      case when s.task_id is not null then i.run_id else h.last_attempt_run end,
      case when s.task_id is not null then 1 else h.attempts end,
      case when s.task_id is not null then true when h.task_id is not null then false end,
      case when coalesce(s.task_id, h.task_id) is null then '40001' end,
      case when coalesce(s.task_id, h.task_id) is null
        then 'the task of this idempotency key was deleted concurrently' end
    from (
      select x.ordinality::integer as position, x.task_id, x.run_id, x.options::jsonb ->> 'idempotency_key' as key
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[])
        with ordinality x(task_id, run_id, options, answered, ordinality)
      where not x.answered
    ) i
    left join absurd.%1$I s on s.task_id = i.task_id
    %2$s
    $sql$,
    't_' || p_queue,
    case when p_is_partitioned
      then format(
        'left join absurd.%I k on k.idempotency_key = i.key left join absurd.%I h on h.task_id = k.task_id',
        'i_' || p_queue, 't_' || p_queue
      )
      else format('left join absurd.%I h on h.idempotency_key = i.key', 't_' || p_queue)
    end
  ) using p_task_ids, p_run_ids, p_options, p_answered;
end;
$$;
