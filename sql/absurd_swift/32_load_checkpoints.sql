-- Committed checkpoints of several runs, as far as each run may see them: those whose owner is gone or
-- belongs to no later attempt.
--
-- Rows come in order of (position, step) and end after the one with which the bytes returned reach
-- p_max_bytes; the caller goes on from the last (position, step). An answer shorter than that is the last.
--
-- Locks: none. Returns no row for an unknown run. state can be SQL NULL.
-- Raises 42P01 for an unknown queue.
create or replace function absurd_swift.load_checkpoints(
  p_queue text,
  p_runs uuid[],
  p_after_position integer default 0,
  p_after_step text default null,
  p_max_bytes bigint default 8388608
)
  returns table("position" integer, step text, state text)
  language plpgsql
  stable
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_bitmapscan = off
as $$
declare
  v_bytes bigint := 0;
begin
  -- The loop reads through a cursor and the cast stands above the sort (hence offset 0): values
  -- beyond the budget are never detoasted.
  for "position", step, state in execute coalesce(
    absurd_swift.planned_call('load', p_queue, 4), absurd_swift.load_statement(p_queue)
  ) using p_runs, coalesce(p_after_position, 0), p_after_step, p_max_bytes
  loop
    return next;
    v_bytes := v_bytes + octet_length(step) + coalesce(octet_length(state), 0);
    exit when v_bytes >= p_max_bytes;
  end loop;
end;
$$;

-- The statement that reads the checkpoints of the runs $1, after position $2 and step $3.
create or replace function absurd_swift.load_statement(p_queue text)
  returns text
  language sql
  immutable
as $$
  select format($sql$
    with i as materialized (
      select x.ordinality::integer as position, r.run_id, r.task_id, r.attempt
      from unnest($1) with ordinality x(run_id, ordinality)
      join absurd.%1$I r on r.run_id = x.run_id
      where x.ordinality >= $2
    )
    select s.position, s.checkpoint_name, s.state::text
    from (
      select i.position, c.checkpoint_name, c.state
      from i
      -- Not a join: of a partitioned queue that has not been analyzed it would read all checkpoints.
      cross join lateral (
        select c.checkpoint_name, c.state, c.status, c.owner_run_id from absurd.%2$I c where c.task_id = i.task_id offset 0
      ) c
      left join absurd.%1$I o on o.run_id = c.owner_run_id
      where c.status = 'committed'
        and (o.run_id is null or o.attempt <= i.attempt)
        and (i.position > $2 or c.checkpoint_name > $3)
      order by i.position, c.checkpoint_name
      offset 0
    ) s
        $sql$, 'r_' || p_queue, 'c_' || p_queue)
$$;
