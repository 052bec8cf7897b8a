-- Weekly partitions.
--
-- Tasks and checkpoints are cut by task_id, runs and waits by run_id, each at the UUIDv7 of Monday 00:00
-- UTC. A partition is named <parent>_<YWW>: last digit of the ISO year, ISO week. The names come again
-- after ten years, so a name alone never counts as proof that a week has its partition.

-- Create the missing partitions of a queue, or of all in the order of their names: from the week of
-- (now - partition_lookback) to that of (now + partition_lookahead), and the catch-all partitions when the
-- policy enables them.
--
-- When all queues are asked for, one that fails is reported as a warning and does not keep the others from
-- their partitions.
--
-- Locks: that of lock_queue; the queue's row (for share), so that the policy stays; then those of ensure_week.
-- Raises P0001 when a queue is named that is invalid or unknown, and those of ensure_week for that queue.
create or replace function absurd.ensure_partitions(p_queue_name text default null)
  returns void
  language plpgsql
as $$
declare
  v_queue_name text;
begin
  perform absurd.check_named_queue(p_queue_name);

  if p_queue_name is not null then
    perform absurd.ensure_partitions_of(p_queue_name);
    return;
  end if;

  for v_queue_name in
    select q.queue_name
      from absurd.queues q
     where q.storage_mode = 'partitioned'
     order by q.queue_name
  loop
    begin
      perform absurd.ensure_partitions_of(v_queue_name);
    exception
      when others then
        raise warning 'partitions of queue "%" could not be made: % (%)', v_queue_name, sqlerrm, sqlstate;
    end;
  end loop;
end;
$$;

-- Create the missing partitions of one queue. An unpartitioned queue needs none.
--
-- Locks and errors: those of ensure_partitions with a name.
create or replace function absurd.ensure_partitions_of(p_queue_name text)
  returns void
  language plpgsql
as $$
declare
  v_now timestamp := absurd.current_time() at time zone 'UTC';
  v_queue absurd.queues;
  v_prefix text;
  v_week timestamp;
begin
  perform absurd.lock_queue(p_queue_name);

  select q.*
    into v_queue
    from absurd.queues q
   where q.queue_name = p_queue_name
     and q.storage_mode = 'partitioned'
     for share;

  if not found then
    return;
  end if;

  -- Runs before tasks, as everywhere: attaching locks the catch-all partition.
  foreach v_prefix in array array['r', 't', 'c', 'w'] loop
    if v_queue.default_partition = 'enabled' then
      perform absurd.ensure_default_partition(v_prefix || '_' || p_queue_name);
    end if;

    -- Weeks are counted in UTC, where each has 168 hours.
    for v_week in
      select generate_series(
        date_trunc('week', v_now - v_queue.partition_lookback),
        date_trunc('week', v_now + v_queue.partition_lookahead),
        interval '7 days')
    loop
      perform absurd.ensure_week(v_prefix || '_' || p_queue_name, v_week at time zone 'UTC');
    end loop;
  end loop;
end;
$$;

-- Name the column by which a queue's table is cut.
--
-- Locks: none. Raises nothing.
create or replace function absurd.partition_key(p_parent text)
  returns text
  language sql
  immutable
as $$
  select case when left(p_parent, 1) in ('t', 'c') then 'task_id' else 'run_id' end;
$$;

-- Make a table like a partitioned one, not attached yet. Attaching adds the indexes.
--
-- Locks: those of create table; the parent is not locked against reading or writing.
create or replace function absurd.create_partition_table(p_table text, p_parent text)
  returns void
  language plpgsql
as $$
begin
  execute format('create table absurd.%I (like absurd.%I including defaults including constraints)',
    p_table, p_parent) || absurd.storage_clause(p_parent);
end;
$$;

-- Create and attach the catch-all partition of a table unless it is there.
--
-- Locks: those of alter table ... attach partition ... default: writers of the parent wait.
-- Raises P0001 when its name belongs to another relation.
create or replace function absurd.ensure_default_partition(p_parent text)
  returns void
  language plpgsql
as $$
declare
  v_table text := p_parent || '_d';
  v_bound text := absurd.partition_bound(p_parent, v_table);
begin
  if v_bound = 'DEFAULT' then
    return;
  end if;

  if v_bound is not null then
    raise exception 'absurd.% is no catch-all partition of absurd.%: %',
      quote_ident(v_table), quote_ident(p_parent), v_bound;
  end if;

  if to_regclass(format('absurd.%I', v_table)) is null then
    perform absurd.create_partition_table(v_table, p_parent);
  end if;

  execute format('alter table absurd.%I attach partition absurd.%I default', p_parent, v_table);
end;
$$;

-- Tell what a table holds as a partition.
--
-- Locks: none.
-- Returns the bound as in its definition; NULL when the table is missing or attached to nothing.
-- Raises P0001 when it is attached to another parent.
create or replace function absurd.partition_bound(p_parent text, p_table text)
  returns text
  language plpgsql
as $$
declare
  v_bound text;
  v_parent name;
begin
  select pg_catalog.pg_get_expr(c.relpartbound, c.oid), p.relname
    into v_bound, v_parent
    from pg_catalog.pg_class c
    join pg_catalog.pg_inherits i on i.inhrelid = c.oid
    join pg_catalog.pg_class p on p.oid = i.inhparent
   where c.relname = p_table
     and c.relnamespace = 'absurd'::regnamespace
     and c.relispartition;

  if v_parent <> p_parent then
    raise exception 'absurd.% is a partition of absurd.%, not of absurd.%',
      quote_ident(p_table), quote_ident(v_parent), quote_ident(p_parent);
  end if;

  return v_bound;
end;
$$;

-- Create and attach the partition of a table for the week that begins at p_week unless it is there. A
-- table of that name that is not attached is attached again: Postgres checks that its columns fit and that
-- its rows belong to the week. Rows of the week that went to the catch-all partition are moved.
--
-- Locks: the parent (share update exclusive: readers and writers go on); the catch-all partition, where
-- there is one, exclusively.
-- Raises P0001 when the name belongs to the partition of another week (ten years ago) or another parent;
-- 23514 when an unattached table of that name has rows of other weeks.
create or replace function absurd.ensure_week(p_parent text, p_week timestamptz)
  returns void
  language plpgsql
as $$
declare
  v_table text := p_parent || '_' || absurd.partition_week_tag(p_week);
  v_from uuid := absurd.uuidv7_floor(p_week);
  v_to uuid := absurd.uuidv7_floor(p_week + interval '168 hours');
  v_bound text := absurd.partition_bound(p_parent, v_table);
begin
  if v_bound is not null then
    if strpos(v_bound, v_from::text) = 0 or strpos(v_bound, v_to::text) = 0 then
      raise exception 'absurd.% holds another week (%) than that of % UTC',
        quote_ident(v_table), v_bound, p_week at time zone 'UTC'
        using hint = 'The name comes again after ten years. Detach the old partition and drop or rename it.';
    end if;
    return;
  end if;

  if to_regclass(format('absurd.%I', v_table)) is null then
    perform absurd.create_partition_table(v_table, p_parent);
  end if;

  perform absurd.move_default_rows(p_parent, v_table, v_from, v_to);

  execute format('alter table absurd.%I attach partition absurd.%I for values from (%L) to (%L)',
    p_parent, v_table, v_from, v_to);
end;
$$;

-- Move the rows of a week from the catch-all partition, where they would keep the week's partition from
-- being attached, to that partition.
--
-- Locks: the catch-all partition exclusively, which attaching would do next.
create or replace function absurd.move_default_rows(p_parent text, p_table text, p_from uuid, p_to uuid)
  returns void
  language plpgsql
as $$
begin
  if absurd.partition_bound(p_parent, p_parent || '_d') is null then
    return;
  end if;

  execute format('lock table absurd.%I in access exclusive mode', p_parent || '_d');

  execute format($q$
    with moved as (
      delete from absurd.%1$I where %3$I >= $1 and %3$I < $2 returning *
    )
    insert into absurd.%2$I select * from moved
    $q$, p_parent || '_d', p_table, absurd.partition_key(p_parent))
    using p_from, p_to;
end;
$$;

-- Detach and drop the catch-all partitions of a queue.
--
-- Locks: each of them and its parent exclusively, runs first.
-- Raises P0001 when one of them has rows.
create or replace function absurd.drop_default_partitions(p_queue_name text)
  returns void
  language plpgsql
as $$
declare
  v_parent text;
  v_table text;
  v_has_rows boolean;
begin
  foreach v_parent in array array['r_', 't_', 'c_', 'w_'] loop
    v_parent := v_parent || p_queue_name;
    v_table := v_parent || '_d';

    if absurd.partition_bound(v_parent, v_table) = 'DEFAULT' then
      execute format('lock table absurd.%I in access exclusive mode', v_table);
      execute format('select exists (select from absurd.%I)', v_table) into v_has_rows;

      if v_has_rows then
        raise exception 'the default partition of queue "%" cannot be disabled: absurd.% has rows',
          p_queue_name, quote_ident(v_table);
      end if;

      execute format('alter table absurd.%I detach partition absurd.%I', v_parent, v_table);
      execute format('drop table absurd.%I', v_table);
    end if;
  end loop;
end;
$$;
