-- spawn for tasks that are expected to be new, with ids of the caller's: what most calls are.
--
-- Leaves the rows as spawn would. Returns rows, as spawn does, only for those of which there is more to say than that
-- they were made as they came; so none when all were. When one is refused all are answered.
--
-- Locks and errors: those of spawn. Raises 22004 for an id that is NULL as well.
create or replace function absurd_swift.spawn_new(
  p_queue text,
  p_task_ids uuid[],
  p_run_ids uuid[],
  p_names text[],
  p_params text[],
  p_options text[]
)
  returns table(
    "position" integer, task_id uuid, run_id uuid, attempt integer, created boolean, sqlstate text,
    message text
  )
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
as $$
#variable_conflict use_column
declare
  v_is_partitioned boolean := to_regclass(format('absurd.%I', 'i_' || p_queue)) is not null;
  v_now timestamptz := absurd.current_time();
  v_positions integer[];
  v_has_refused boolean;
  v_answered boolean[];
begin
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(
    cardinality(p_names), cardinality(p_task_ids), cardinality(p_run_ids), cardinality(p_params),
    cardinality(p_options)
  );
  if array_position(p_task_ids, null) is not null or array_position(p_run_ids, null) is not null then
    raise exception 'an id is NULL; spawn makes those that are missing' using errcode = '22004';
  end if;
  begin
    execute coalesce(
      absurd_swift.planned_call(case when v_is_partitioned then 'newsp' else 'news' end, p_queue, 8),
      absurd_swift.spawn_statement(p_queue, v_is_partitioned, false, true)
    ) into v_positions, v_has_refused
    using p_task_ids, p_run_ids, p_names, p_params, p_options, v_now,
      absurd_swift.uuid_at(v_now - interval '1 day'), absurd_swift.uuid_at(v_now + interval '1 day 1 ms');
    if v_has_refused then
      raise exception 'a row is refused' using errcode = 'AS007';
    end if;
  exception
    when data_exception or integrity_constraint_violation or program_limit_exceeded
      or sqlstate 'AB003' or sqlstate 'AS007' then
      -- Nothing was written; spawn finds out which row is at fault, and makes the others.
      return query select * from absurd_swift.spawn(
        p_queue, p_task_ids, p_run_ids, p_names, p_params, p_options
      );
      return;
  end;
  if coalesce(cardinality(v_positions), 0) < cardinality(p_names) then
    select array_agg(n = any (coalesce(v_positions, '{}')) order by n)
    into v_answered
    from generate_series(1, cardinality(p_names)) n;
    return query select * from absurd_swift.spawn_rest(
      p_queue, p_task_ids, p_run_ids, p_options, v_answered, v_is_partitioned
    );
  end if;
end;
$$;
