-- The index that claim needs on a queue's runs: in order of due time, only what can be claimed. Our own
-- absurd makes it with the queue; official queues lack it, and a claim then reads the whole backlog.

-- Statements that give queues what they lack, to be run one by one, in this order, outside a transaction.
--
-- p_queue NULL: all queues. Repeatable after an interruption: an index that was left invalid is dropped
-- first. A partitioned table cannot be indexed concurrently, so its partitions are, one by one, and
-- then attached; the statement on the parent locks only the parent, for a moment.
--
-- Locks: none. Returns no row for a queue that lacks nothing.
create or replace function absurd_swift.missing_indexes(p_queue text default null)
  returns table(queue_name text, statement text)
  language plpgsql
  stable
as $$
declare
  v_index text;
  v_parent record;
begin
  for v_parent in
    select q.queue_name, c.oid, c.relkind, c.relname::text as relname
    from absurd.queues q
    join pg_catalog.pg_class c on c.oid = to_regclass(format('absurd.%I', 'r_' || q.queue_name))
    where p_queue is null or q.queue_name = p_queue
    order by q.queue_name
  loop
    queue_name := v_parent.queue_name;
    v_index := v_parent.relname || '_rdy';
    if v_parent.relkind = 'r' then
      return query
        select v_parent.queue_name, s.statement
        from absurd_swift.ready_index_statements(v_parent.oid, v_index) s;
    else
      if to_regclass(format('absurd.%I', v_index)) is null then
        statement := format(
          'create index if not exists %I on only absurd.%I (available_at, run_id)'
          ' where state in (''pending'', ''sleeping'')', v_index, v_parent.relname
        );
        return next;
      end if;
      return query
        select v_parent.queue_name, s.statement
        from absurd_swift.partition_index_statements(v_parent.oid, v_index) s;
    end if;
  end loop;
end;
$$;

-- Statements that make the index of this name on one ordinary table; none if it is there and valid.
create or replace function absurd_swift.ready_index_statements(p_table oid, p_index text)
  returns table(statement text)
  language sql
  stable
as $$
  with x as (
    select (
      select i.indisvalid from pg_catalog.pg_index i
      where i.indexrelid = to_regclass(format('absurd.%I', p_index)) and i.indrelid = p_table
    ) as is_valid
  )
  select format('drop index concurrently if exists absurd.%I', p_index) from x where not x.is_valid
  union all
  select format(
    'create index concurrently if not exists %I on %s (available_at, run_id)'
    ' where state in (''pending'', ''sleeping'')', p_index, p_table::regclass
  )
  from x where x.is_valid is not true
$$;

-- Statements that make and attach the index of each partition that has none attached yet.
create or replace function absurd_swift.partition_index_statements(p_parent oid, p_index text)
  returns table(statement text)
  language sql
  stable
as $$
  select s.statement
  from (
    select c.oid, c.relname,
      -- Beyond 63 bytes the server would cut the name, and two partitions could then share one.
      case when octet_length(c.relname::text) <= 59 then c.relname || '_rdy'
        else 'r_' || left(md5(c.relname::text), 16) || '_rdy' end as index
    from pg_catalog.pg_inherits h
    join pg_catalog.pg_class c on c.oid = h.inhrelid
    where h.inhparent = p_parent
      and not exists (
        select from pg_catalog.pg_inherits a
        join pg_catalog.pg_index i on i.indexrelid = a.inhrelid
        where a.inhparent = to_regclass(format('absurd.%I', p_index)) and i.indrelid = c.oid
      )
  ) p
  cross join lateral (
    select 1 as n, r.statement from absurd_swift.ready_index_statements(p.oid, p.index) r
    union all
    select 2, format('alter index absurd.%I attach partition absurd.%I', p_index, p.index)
  ) s
  order by p.relname, s.n
$$;
