-- Creating, dropping and listing queues.

-- Create a queue, or complete what is missing of it. The storage mode is fixed for its life.
--
-- Locks: for a new queue those of check_queue_collision, else that of lock_queue; the new row in
-- absurd.queues; then those of ensure_queue_tables: on a queue that is complete no worker waits.
-- Raises P0001 for an invalid name or mode, for a queue of the other mode, and for a name that collides
-- with the relations of another queue.
create or replace function absurd.create_queue(p_queue_name text, p_storage_mode text)
  returns void
  language plpgsql
as $$
declare
  v_mode text := lower(btrim(p_storage_mode));
  v_stored text;
begin
  perform absurd.validate_queue_name(p_queue_name);

  if v_mode is null or v_mode not in ('unpartitioned', 'partitioned') then
    raise exception 'storage mode of queue "%" must be unpartitioned or partitioned, not "%"',
      p_queue_name, p_storage_mode;
  end if;

  if not exists (select from absurd.queues q where q.queue_name = p_queue_name) then
    perform absurd.check_queue_collision(p_queue_name, v_mode = 'partitioned');
  end if;

  insert into absurd.queues (queue_name, storage_mode)
  values (p_queue_name, v_mode)
      on conflict (queue_name) do nothing;

  select q.storage_mode
    into v_stored
    from absurd.queues q
   where q.queue_name = p_queue_name;

  if v_stored <> v_mode then
    raise exception 'queue "%" is %, it cannot be made %', p_queue_name, v_stored, v_mode;
  end if;

  perform absurd.ensure_queue_tables(p_queue_name);
end;
$$;

-- Create an unpartitioned queue, or complete what is missing of it.
--
-- Locks and errors: those of create_queue with a storage mode.
create or replace function absurd.create_queue(p_queue_name text)
  returns void
  language plpgsql
as $$
begin
  perform absurd.create_queue(p_queue_name, 'unpartitioned');
end;
$$;

-- Drop a queue with all its tasks and, where pg_cron is installed, its jobs. An unknown queue is no
-- error. Partitions that were detached earlier are ordinary tables by now and stay.
--
-- Names are not validated, so that names from before the length limit can be dropped.
--
-- Locks: that of lock_queue; the queue's tables exclusively, in the order registry, waits, events,
-- checkpoints, runs, tasks.
create or replace function absurd.drop_queue(p_queue_name text)
  returns void
  language plpgsql
  -- "does not exist, skipping" is what "if exists" is for.
  set client_min_messages = warning
as $$
declare
  v_prefix text;
begin
  perform absurd.lock_queue(p_queue_name);

  if not exists (select from absurd.queues q where q.queue_name = p_queue_name) then
    return;
  end if;

  if absurd.cron_can_unschedule() then
    perform absurd.unschedule_queue_jobs(p_queue_name);
  end if;

  foreach v_prefix in array array['i', 'w', 'e', 'c', 'r', 't'] loop
    execute format('drop table if exists absurd.%I cascade', v_prefix || '_' || p_queue_name);
  end loop;

  delete from absurd.queues q
   where q.queue_name = p_queue_name;
end;
$$;

-- List the queues by name.
--
-- Locks: none. Raises nothing.
create or replace function absurd.list_queues()
  returns table (queue_name text)
  language sql
as $$
  select q.queue_name
    from absurd.queues q
   order by q.queue_name;
$$;
