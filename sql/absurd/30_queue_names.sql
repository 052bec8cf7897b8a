-- Names of queues and of the relations made for them.
--
-- A queue q owns the tables t_q (tasks), r_q (runs), c_q (checkpoints), e_q (events), w_q (waits) and,
-- when it is partitioned, i_q (idempotency keys). 57 bytes leave room for the prefix and for the
-- longest suffix, "_sai" or a partition's "_YWW", within Postgres' 63.

-- Check that a name can be a queue's name.
--
-- Locks: none.
-- Returns the name.
-- Raises P0001 when it is NULL, empty or longer than 57 bytes.
create or replace function absurd.validate_queue_name(p_queue_name text)
  returns text
  language plpgsql
  immutable
as $$
begin
  if p_queue_name is null or p_queue_name = '' then
    raise exception 'queue name must not be empty';
  end if;

  if octet_length(p_queue_name) > 57 then
    raise exception 'queue name "%" is too long: % bytes, at most 57',
      p_queue_name, octet_length(p_queue_name);
  end if;

  return p_queue_name;
end;
$$;

-- Tell whether the relations of queue p_queue_name || p_suffix would bear names that p_queue_name
-- itself uses: those of its indexes and, when partitioned, of its partitions of any week.
--
-- Locks: none. Raises nothing.
create or replace function absurd.is_reserved_suffix(p_suffix text, p_partitioned boolean)
  returns boolean
  language sql
  immutable
as $$
  select p_suffix ~ '^_(ci|cti|ti|cei|rdy|cai|fti|sai|eni|eai|pkey|idempotency_key_key)$'
      or p_partitioned and p_suffix ~ '^_(d|[0-9]{3})$';
$$;

-- Keep everybody else from creating, provisioning, dropping or changing the policy of a queue until the end of
-- the transaction. Whether a relation is missing is looked up before it is made, so two who do that at
-- once would both make it, and the second would fail.
--
-- Locks: an advisory lock for the queue, always before its row in absurd.queues and before its tables.
create or replace function absurd.lock_queue(p_queue_name text)
  returns void
  language sql
as $$
  select pg_advisory_xact_lock(hashtextextended('absurd queue ' || p_queue_name, 0));
$$;

-- Refuse a new queue whose relations would collide with those of another queue, now or in a later
-- week, or with relations that are left over from a dropped one.
--
-- Locks: those of lock_queue for the name and for each name that it extends: of two colliding queues created
-- at the same time the second sees the first.
-- Raises P0001 naming the queue or relation in the way.
create or replace function absurd.check_queue_collision(p_queue_name text, p_partitioned boolean)
  returns void
  language plpgsql
as $$
declare
  v_stem text;
  v_other text;
  v_tables text[] := array['t', 'r', 'c', 'e', 'w'] || case when p_partitioned then array['i'] end;
  v_found text[];
begin
  for v_stem in
    select stem
      from unnest(array[
        p_queue_name,
        regexp_replace(p_queue_name, '_[a-z0-9]+$', ''),
        regexp_replace(p_queue_name, '_idempotency_key_key$', '')
      ]) as stem
     group by stem
     order by hashtextextended(stem, 0)
  loop
    perform absurd.lock_queue(v_stem);
  end loop;

  select q.queue_name
    into v_other
    from absurd.queues q
   where starts_with(p_queue_name, q.queue_name)
     and absurd.is_reserved_suffix(
       substr(p_queue_name, length(q.queue_name) + 1), q.storage_mode = 'partitioned')
      or starts_with(q.queue_name, p_queue_name)
     and absurd.is_reserved_suffix(substr(q.queue_name, length(p_queue_name) + 1), p_partitioned)
   order by q.queue_name
   limit 1;

  if v_other is not null then
    raise exception 'queue name "%" collides with queue "%": one would use names that the other needs for its indexes or partitions',
      p_queue_name, v_other
      using hint = 'Choose a name that does not extend the other by such a suffix.';
  end if;

  select array_agg(c.relname::text order by c.relname)
    into v_found
    from unnest(v_tables) as prefix
    join pg_catalog.pg_class c
      on c.relname = prefix || '_' || p_queue_name
     and c.relnamespace = 'absurd'::regnamespace;

  -- A full set is the queue's own, made by ensure_queue_tables before the queue was listed.
  if v_found is not null and cardinality(v_found) < cardinality(v_tables) then
    raise exception 'queue name "%" collides with existing relations of schema absurd: %',
      p_queue_name, array_to_string(v_found, ', ')
      using hint = 'Choose another name, or rename or drop these relations.';
  end if;
end;
$$;
