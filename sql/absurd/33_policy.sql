-- Maintenance policies of queues.

-- Read a queue's policy.
--
-- Locks: none.
-- Returns one row, none for an unknown queue. Raises nothing.
create or replace function absurd.get_queue_policy(p_queue_name text)
  returns table (
    queue_name text,
    storage_mode text,
    default_partition text,
    partition_lookahead interval,
    partition_lookback interval,
    cleanup_ttl interval,
    cleanup_limit integer,
    detach_mode text,
    detach_min_age interval
  )
  language sql
as $$
  select q.queue_name, q.storage_mode, q.default_partition, q.partition_lookahead, q.partition_lookback,
         q.cleanup_ttl, q.cleanup_limit, q.detach_mode, q.detach_min_age
    from absurd.queues q
   where q.queue_name = p_queue_name;
$$;

-- Read an interval of a policy: interval text, or a number of seconds.
--
-- Locks: none.
-- Returns the interval, NULL for JSON null.
-- Raises 22007 when the text is no interval; P0001 when the interval is negative.
create or replace function absurd.policy_interval(p_policy jsonb, p_key text)
  returns interval
  language plpgsql
  immutable
as $$
declare
  v_value interval := (p_policy ->> p_key)::interval;
begin
  if v_value < interval '0' then
    raise exception 'policy: % must not be negative, it is %', p_key, v_value;
  end if;

  return v_value;
end;
$$;

-- Read a mode of a policy: one of two words, in any case and with blanks around.
--
-- Locks: none.
-- Returns the word.
-- Raises P0001 for anything else, JSON null included.
create or replace function absurd.policy_mode(p_policy jsonb, p_key text, p_modes text[])
  returns text
  language plpgsql
  immutable
as $$
declare
  v_value text := lower(btrim(p_policy ->> p_key));
begin
  if v_value is null or v_value <> all (p_modes) then
    raise exception 'policy: % must be % or %, not %', p_key, p_modes[1], p_modes[2], p_policy -> p_key;
  end if;

  return v_value;
end;
$$;

-- Change a queue's policy. Only the keys given change: partition_lookahead, partition_lookback,
-- cleanup_ttl, detach_min_age (interval text or seconds), cleanup_limit, detach_mode,
-- default_partition. Enabling the default partition creates it; disabling drops it if it is empty.
--
-- Locks: that of lock_queue; the queue's row; then those of ensure_partitions or drop_default_partitions.
-- Raises P0001 for an unknown queue, key or mode, a negative interval, a limit below 1, a default
-- partition of an unpartitioned queue, and one that cannot be dropped since it has rows; 23502 for JSON
-- null; 22P02, 22003 and 22007 for malformed values.
create or replace function absurd.set_queue_policy(p_queue_name text, p_policy jsonb)
  returns void
  language plpgsql
as $$
declare
  v_policy jsonb := coalesce(p_policy, '{}');
  v_queue absurd.queues;
  v_default text;
  v_unknown text;
begin
  perform absurd.validate_queue_name(p_queue_name);

  if jsonb_typeof(v_policy) <> 'object' then
    raise exception 'policy of queue "%" must be a JSON object, not %',
      p_queue_name, jsonb_typeof(v_policy);
  end if;

  select k
    into v_unknown
    from jsonb_object_keys(v_policy) as k
   where k not in ('partition_lookahead', 'partition_lookback', 'cleanup_ttl', 'cleanup_limit',
           'detach_mode', 'detach_min_age', 'default_partition')
   order by k
   limit 1;

  if v_unknown is not null then
    raise exception 'policy of queue "%": unknown key "%"', p_queue_name, v_unknown;
  end if;

  perform absurd.lock_queue(p_queue_name);

  select q.*
    into v_queue
    from absurd.queues q
   where q.queue_name = p_queue_name
     for update;

  if not found then
    raise exception 'queue "%" not found', p_queue_name;
  end if;

  v_default := v_queue.default_partition;

  if v_policy ? 'default_partition' and v_queue.storage_mode <> 'partitioned' then
    raise exception 'queue "%" is not partitioned, it has no default partition', p_queue_name;
  end if;

  if v_policy ? 'default_partition' then
    v_queue.default_partition :=
      absurd.policy_mode(v_policy, 'default_partition', array['enabled', 'disabled']);
  end if;
  if v_policy ? 'detach_mode' then
    v_queue.detach_mode := absurd.policy_mode(v_policy, 'detach_mode', array['none', 'empty']);
  end if;
  if v_policy ? 'partition_lookahead' then
    v_queue.partition_lookahead := absurd.policy_interval(v_policy, 'partition_lookahead');
  end if;
  if v_policy ? 'partition_lookback' then
    v_queue.partition_lookback := absurd.policy_interval(v_policy, 'partition_lookback');
  end if;
  if v_policy ? 'cleanup_ttl' then
    v_queue.cleanup_ttl := absurd.policy_interval(v_policy, 'cleanup_ttl');
  end if;
  if v_policy ? 'detach_min_age' then
    v_queue.detach_min_age := absurd.policy_interval(v_policy, 'detach_min_age');
  end if;
  if v_policy ? 'cleanup_limit' then
    v_queue.cleanup_limit := (v_policy ->> 'cleanup_limit')::integer;
    if v_queue.cleanup_limit < 1 then
      raise exception 'policy: cleanup_limit must be 1 or more, not %', v_queue.cleanup_limit;
    end if;
  end if;

  update absurd.queues q
     set default_partition = v_queue.default_partition,
         partition_lookahead = v_queue.partition_lookahead,
         partition_lookback = v_queue.partition_lookback,
         cleanup_ttl = v_queue.cleanup_ttl,
         cleanup_limit = v_queue.cleanup_limit,
         detach_mode = v_queue.detach_mode,
         detach_min_age = v_queue.detach_min_age
   where q.queue_name = p_queue_name;

  if v_queue.default_partition is distinct from v_default then
    if v_queue.default_partition = 'enabled' then
      perform absurd.ensure_partitions(p_queue_name);
    else
      perform absurd.drop_default_partitions(p_queue_name);
    end if;
  end if;
end;
$$;
