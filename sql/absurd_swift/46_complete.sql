-- Complete runs of a queue with their results: finish for batches in which nothing else happens, as most of those are
-- that workers send.
--
-- Leaves the rows as finish would, and waits for locks as it does with p_wait. Returns a row, as finish does, only for
-- runs whose answer is not 'done'; so none when all of them were completed now.
-- p_results: JSON; NULL counts as null. A run should be named once: of several results one is taken.
--
-- Locks: those of finish.
-- Raises 42P01 for an unknown queue, 22004 for a NULL queue, AS001 for arrays of different lengths, 55P03, 40P01.
create or replace function absurd_swift.complete(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_results text[]
)
  returns table("position" integer, answer text, task_state text, sqlstate text, message text)
  language plpgsql
  set lock_timeout = '200ms'
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := absurd.current_time();
  v_actions text[];
  v_positions integer[];
  v_tasks uuid[];
  v_answered boolean[];
begin
  perform absurd_swift.require_queue(p_queue);
  perform absurd_swift.require_equal_lengths(
    cardinality(p_runs), cardinality(p_tokens), cardinality(p_results)
  );
  v_actions := array_fill('complete'::text, array[cardinality(p_runs)]);
  begin
    execute coalesce(absurd_swift.planned_call('ends', p_queue, 5), absurd_swift.end_statement(p_queue))
      into v_positions, v_tasks
      using p_worker, p_runs, p_tokens, p_results, v_now;
  exception
    when data_exception or integrity_constraint_violation or program_limit_exceeded then
      -- Some row's value is at fault; finish finds out which.
      return query
        select f.position, f.answer, f.task_state, f.sqlstate, f.message
        from absurd_swift.finish(
          p_queue, p_worker, p_runs, p_tokens, v_actions, p_results,
          array_fill(null::text, array[cardinality(p_runs)]),
          array_fill(null::timestamptz, array[cardinality(p_runs)]),
          array_fill(null::double precision, array[cardinality(p_runs)])
        ) f
        where f.answer <> 'done';
      return;
  end;
  if v_tasks is not null then
    perform absurd_swift.wake_result_waits(p_queue, v_tasks, p_runs, v_now);
  end if;
  if coalesce(cardinality(v_positions), 0) < cardinality(p_runs) then
    select array_agg(n = any (coalesce(v_positions, '{}')) order by n)
    into v_answered
    from generate_series(1, cardinality(p_runs)) n;
    return query select * from absurd_swift.finish_rest(
      p_queue, p_worker, p_runs, p_tokens, v_actions, p_results, v_answered
    );
  end if;
end;
$$;

-- The statement that completes those of the runs $2 that worker $1 holds with tokens $3, with the results $4, at $5;
-- answers with their positions and tasks.
create or replace function absurd_swift.end_statement(p_queue text)
  returns text
  language plpgsql
  immutable
as $$
begin
  return format($sql$
    with l as materialized (
      select x.ordinality::integer as position, x.run_id, x.token, coalesce(x.result, 'null')::jsonb as value
      from unnest($2::uuid[], $3::timestamptz[], $4::text[])
        with ordinality x(run_id, token, result, ordinality)
      order by x.run_id
    ),
    %s
    select array_agg(u.position) as positions, array_agg(u.task_id) as tasks from u
    $sql$,
    absurd_swift.complete_updates(p_queue, '$5')
  );
end;
$$;
