-- The table of queues and the tables of each queue.

create table if not exists absurd.queues (
  queue_name text primary key,
  created_at timestamptz not null default absurd.current_time(),
  storage_mode text not null default 'unpartitioned'
    check (storage_mode in ('unpartitioned', 'partitioned')),
  default_partition text not null default 'enabled'
    check (default_partition in ('enabled', 'disabled')),
  partition_lookahead interval not null default interval '28 days'
    check (partition_lookahead >= interval '0'),
  partition_lookback interval not null default interval '1 day'
    check (partition_lookback >= interval '0'),
  cleanup_ttl interval not null default interval '30 days'
    check (cleanup_ttl >= interval '0'),
  cleanup_limit integer not null default 1000
    check (cleanup_limit >= 1),
  detach_mode text not null default 'none'
    check (detach_mode in ('none', 'empty')),
  detach_min_age interval not null default interval '30 days'
    check (detach_min_age >= interval '0')
);

-- Storage parameters of a queue's table, or of a partition of one, as the end of create table.
--
-- 45 leaves room in each page for one more version of its tasks, so that claim and end stay within the page (heap-only),
-- as no index mentions the state of t_. Updates of r_ are never heap-only, since its indexes live on the state; those
-- on ids have room for entries of later versions instead. Tasks that have ended take less room so than with
-- full pages (docs/decisions/082-room-for-the-next-version.md).
create or replace function absurd.storage_clause(p_table text)
  returns text
  language sql
  immutable
as $$
  select case left(p_table, 2)
    when 't_' then ' with (fillfactor = 45)'
    when 'r_' then ' with (fillfactor = 70)'
    when 'c_' then ' with (fillfactor = 70)'
    else ''
  end
$$;

-- What earlier versions of this schema had in its place.
drop function if exists absurd.ensure_table(text, text, text, integer);

-- Create one table of a queue unless it is there.
--
-- Locks: those of create table.
-- Raises P0001 when its name belongs to an index, a partition or another kind of relation.
create or replace function absurd.ensure_table(
  p_table text,
  p_columns text,
  p_partition_key text default null
)
  returns void
  language plpgsql
as $$
declare
  v_kind "char";
  v_is_partition boolean;
begin
  select c.relkind, c.relispartition
    into v_kind, v_is_partition
    from pg_catalog.pg_class c
   where c.relname = p_table
     and c.relnamespace = 'absurd'::regnamespace;

  if v_kind not in ('r', 'p') or v_is_partition then
    raise exception 'absurd.% exists but is not the table of a queue', quote_ident(p_table)
      using hint = 'The name of the queue collides with an index or a partition of another queue.';
  end if;

  if v_kind is null then
    execute format('create table if not exists absurd.%I (%s)', p_table, p_columns)
      || case
           when p_partition_key is not null then format(' partition by range (%I)', p_partition_key)
           else absurd.storage_clause(p_table)
         end;
  end if;
end;
$$;

-- Create what is missing of a queue's tables, indexes and, when it is partitioned, partitions. A queue
-- that is not listed is made unpartitioned.
--
-- Locks: that of lock_queue; those of create table and create index for what is missing, indexes of runs
-- before those of tasks. Where nothing is missing no table is locked.
-- Raises P0001 for an invalid name or one that collides with another relation.
create or replace function absurd.ensure_queue_tables(p_queue_name text)
  returns void
  language plpgsql
  -- "already exists, skipping" is what "if not exists" is for.
  set client_min_messages = warning
as $$
declare
  v_partitioned boolean;
  v_states constant text := $c$('pending', 'running', 'sleeping', 'completed', 'failed', 'cancelled')$c$;
begin
  perform absurd.validate_queue_name(p_queue_name);
  perform absurd.lock_queue(p_queue_name);

  select q.storage_mode = 'partitioned'
    into v_partitioned
    from absurd.queues q
   where q.queue_name = p_queue_name;
  v_partitioned := coalesce(v_partitioned, false);

  perform absurd.ensure_table('t_' || p_queue_name, $c$
    task_id uuid primary key,
    task_name text not null,
    params jsonb not null,
    headers jsonb,
    retry_strategy jsonb,
    max_attempts integer,
    cancellation jsonb,
    enqueue_at timestamptz not null default absurd.current_time(),
    first_started_at timestamptz,
    state text not null check (state in $c$ || v_states || $c$),
    attempts integer not null default 0,
    last_attempt_run uuid,
    completed_payload jsonb,
    cancelled_at timestamptz,
    idempotency_key text $c$ || case when v_partitioned then '' else 'unique' end,
    case when v_partitioned then 'task_id' end);

  perform absurd.ensure_table('r_' || p_queue_name, $c$
    run_id uuid primary key with (fillfactor = 50),
    task_id uuid not null,
    attempt integer not null,
    state text not null check (state in $c$ || v_states || $c$),
    claimed_by text,
    claim_expires_at timestamptz,
    available_at timestamptz not null,
    wake_event text,
    event_payload jsonb,
    started_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    result jsonb,
    failure_reason jsonb,
    created_at timestamptz not null default absurd.current_time(),
    cancel_at timestamptz
  $c$, case when v_partitioned then 'run_id' end);

  perform absurd.ensure_table('c_' || p_queue_name, $c$
    task_id uuid not null,
    checkpoint_name text not null,
    state jsonb,
    status text not null default 'committed',
    owner_run_id uuid,
    updated_at timestamptz not null default absurd.current_time(),
    primary key (task_id, checkpoint_name)
  $c$, case when v_partitioned then 'task_id' end);

  perform absurd.ensure_table('e_' || p_queue_name, $c$
    event_name text primary key,
    payload jsonb,
    emitted_at timestamptz not null default absurd.current_time()
  $c$);

  perform absurd.ensure_table('w_' || p_queue_name, $c$
    task_id uuid not null,
    run_id uuid not null,
    step_name text not null,
    event_name text not null,
    timeout_at timestamptz,
    created_at timestamptz not null default absurd.current_time(),
    primary key (run_id, step_name)
  $c$, case when v_partitioned then 'run_id' end);

  if v_partitioned then
    perform absurd.ensure_table('i_' || p_queue_name, $c$
      idempotency_key text primary key,
      task_id uuid not null
    $c$);
  end if;

  perform absurd.ensure_queue_indexes(p_queue_name, v_partitioned);

  if v_partitioned then
    perform absurd.ensure_partitions(p_queue_name);
  end if;
end;
$$;

-- Create the missing indexes of a queue. The names are <table>_<suffix>.
--
-- Locks: those of create index: writers of the table wait. It is not called for an index that is there, as it
-- locks the table before it looks. Runs come before tasks, as in everything that workers do.
-- Raises P0001 when an index's name belongs to a relation of another table.
create or replace function absurd.ensure_queue_indexes(p_queue_name text, p_partitioned boolean)
  returns void
  language plpgsql
as $$
declare
  v_index record;
  v_name text;
  v_table text;
  v_indexed oid;
begin
  for v_index in
    select *
      from (values
        -- The order of claims. Holds nothing but runs that wait for their time.
        ('r', 'rdy', $p$(available_at, run_id) where state in ('pending', 'sleeping')$p$),
        -- Leases that may have ended.
        ('r', 'cei', $p$(claim_expires_at) where state = 'running' and claim_expires_at is not null$p$),
        -- Runs whose task's cancellation policy ends it at a known time.
        ('r', 'cai', $p$(cancel_at)
           where cancel_at is not null and state in ('pending', 'sleeping', 'running')$p$),
        -- Cleanup of completed and failed tasks, and lists of them.
        ('r', 'fti', $p$(state, (coalesce(completed_at, failed_at)))
           where state in ('completed', 'failed')$p$),
        ('r', 'ti', '(task_id) with (fillfactor = 50)'),
        -- Cleanup of cancelled tasks.
        ('t', 'cti', '(cancelled_at) where cancelled_at is not null'),
        -- Tasks with a policy; of use to the dashboards and tools of 0.5.1 only.
        ('t', 'ci', '(task_id) where cancellation is not null'),
        ('w', 'eni', '(event_name)'),
        ('w', 'ti', '(task_id)'),
        ('e', 'eai', '(emitted_at)'),
        ('i', 'ti', '(task_id)')
      ) as i (prefix, suffix, definition)
     where i.prefix <> 'i' or p_partitioned
  loop
    v_table := v_index.prefix || '_' || p_queue_name;
    v_name := v_table || '_' || v_index.suffix;

    select x.indrelid
      into v_indexed
      from pg_catalog.pg_class c
      left join pg_catalog.pg_index x on x.indexrelid = c.oid
     where c.relname = v_name
       and c.relnamespace = 'absurd'::regnamespace;

    if not found then
      execute format('create index %I on absurd.%I %s', v_name, v_table, v_index.definition);
    elsif v_indexed is distinct from format('absurd.%I', v_table)::regclass then
      raise exception 'absurd.% exists but is not an index of absurd.%',
        quote_ident(v_name), quote_ident(v_table)
        using hint = 'The name of the queue collides with that of another queue.';
    end if;
  end loop;
end;
$$;
