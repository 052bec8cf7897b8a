-- The schema, its version, and the one table the batch functions need.

create schema if not exists absurd_swift;

-- Version of this schema: the text changes with every release that changes a function or a table.
create or replace function absurd_swift.get_schema_version()
  returns text
  language sql
as $$
  select '0.1.0'::text;
$$;

-- Runs that are parked until a task ends (await_task).
--
-- A hint, never the truth: the parked run is also a timer sleep, and looks for itself when that ends.
-- A registration counts only while the run still sleeps under the same token, so a stale row is harmless.
create table if not exists absurd_swift.result_waits (
  task_queue text not null,
  task_id uuid not null,
  queue text not null,
  run_id uuid not null,
  token timestamptz not null,
  primary key (task_queue, task_id, queue, run_id)
);

create index if not exists result_waits_run on absurd_swift.result_waits (queue, run_id);
