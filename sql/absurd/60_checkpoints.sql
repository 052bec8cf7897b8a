-- Checkpoints: the stored results of a task's steps, shared by all its attempts.

-- Store a step's result and, with p_extend_claim_by, renew the lease to that many seconds from now (a
-- lease without end stays so). A value of a later attempt is never overwritten: the write is then
-- skipped in silence.
--
-- Locks: when the lease is renewed, the run; then the checkpoint.
-- Raises AB001 when the task is cancelled, AB002 when the run has failed; P0001 for a blank step name or
-- an unknown run.
create or replace function absurd.set_task_checkpoint_state(
  p_queue_name text,
  p_task_id uuid,
  p_step_name text,
  p_state jsonb,
  p_owner_run uuid,
  p_extend_claim_by integer default null
)
  returns void
  language plpgsql
as $$
declare
  v_now timestamptz := absurd.current_time();
  v_run record;
begin
  if p_step_name is null or btrim(p_step_name) = '' then
    raise exception 'step name must not be blank (run %)', p_owner_run;
  end if;

  execute format($q$
    select r.attempt, r.state, r.claim_expires_at,
           (select t.state from absurd.%2$I t where t.task_id = r.task_id) as task_state
      from absurd.%1$I r
     where r.run_id = $1
    $q$, 'r_' || p_queue_name, 't_' || p_queue_name)
    into v_run
    using p_owner_run;

  if v_run.state is null then
    raise exception 'run % not found in queue "%"', p_owner_run, p_queue_name;
  end if;

  if v_run.task_state = 'cancelled' then
    raise exception 'task % of queue "%" was cancelled', p_task_id, p_queue_name
      using errcode = 'AB001';
  end if;

  if v_run.state = 'failed' then
    perform absurd.raise_not_running(p_queue_name, p_owner_run);
  end if;

  if p_extend_claim_by > 0 and v_run.state = 'running' and v_run.claim_expires_at is not null then
    execute format($q$
      update absurd.%I r
         set claim_expires_at = $2
       where r.run_id = $1
         and r.state = 'running'
         and r.claim_expires_at is not null
      $q$, 'r_' || p_queue_name)
      using p_owner_run, v_now + make_interval(secs => p_extend_claim_by);
  end if;

  execute format($q$
    insert into absurd.%1$I as c (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
    values ($1, $2, $3, 'committed', $4, $5)
        on conflict (task_id, checkpoint_name) do update
       set state = excluded.state,
           status = excluded.status,
           owner_run_id = excluded.owner_run_id,
           updated_at = excluded.updated_at
     where not exists (
       select from absurd.%2$I o
        where o.run_id = c.owner_run_id
          and o.attempt > $6)
    $q$, 'c_' || p_queue_name, 'r_' || p_queue_name)
    using p_task_id, p_step_name, p_state, p_owner_run, v_now, v_run.attempt;
end;
$$;

-- Look up one checkpoint, whichever attempt wrote it.
--
-- Locks: none.
-- Returns one row or none; a checkpoint that is not committed only with p_include_pending.
create or replace function absurd.get_task_checkpoint_state(
  p_queue_name text,
  p_task_id uuid,
  p_step_name text,
  p_include_pending boolean default false
)
  returns table (
    checkpoint_name text,
    state jsonb,
    status text,
    owner_run_id uuid,
    updated_at timestamptz
  )
  language plpgsql
as $$
begin
  return query execute format($q$
    select c.checkpoint_name, c.state, c.status, c.owner_run_id, c.updated_at
      from absurd.%I c
     where c.task_id = $1
       and c.checkpoint_name = $2
       and (c.status = 'committed' or $3)
    $q$, 'c_' || p_queue_name)
    using p_task_id, p_step_name, coalesce(p_include_pending, false);
end;
$$;

-- List the committed checkpoints that a run may use: those of its own attempt, of earlier ones, and of
-- runs that are gone; oldest first.
--
-- Locks: none.
-- Returns one row per checkpoint.
-- Raises P0001 when the run is unknown or belongs to another task.
create or replace function absurd.get_task_checkpoint_states(
  p_queue_name text,
  p_task_id uuid,
  p_run_id uuid
)
  returns table (
    checkpoint_name text,
    state jsonb,
    status text,
    owner_run_id uuid,
    updated_at timestamptz
  )
  language plpgsql
as $$
declare
  v_task_id uuid;
  v_attempt integer;
begin
  execute format('select r.task_id, r.attempt from absurd.%I r where r.run_id = $1', 'r_' || p_queue_name)
    into v_task_id, v_attempt
    using p_run_id;

  if v_task_id is null then
    raise exception 'run % not found in queue "%"', p_run_id, p_queue_name;
  end if;

  if v_task_id is distinct from p_task_id then
    raise exception 'run % does not belong to task % (queue "%")', p_run_id, p_task_id, p_queue_name;
  end if;

  return query execute format($q$
    select c.checkpoint_name, c.state, c.status, c.owner_run_id, c.updated_at
      from absurd.%1$I c
      left join absurd.%2$I o on o.run_id = c.owner_run_id
     where c.task_id = $1
       and c.status = 'committed'
       and (o.run_id is null or o.attempt <= $2)
     order by c.updated_at
    $q$, 'c_' || p_queue_name, 'r_' || p_queue_name)
    using p_task_id, v_attempt;
end;
$$;
