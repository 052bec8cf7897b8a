-- Roles with no more than they need: absurd_producer, absurd_worker, absurd_supervisor, absurd_operator and absurd_viewer.
--
-- They cannot log in: grant them to the roles that do (grant absurd_worker to app). To be executed by the owner of the
-- schemas, or a superuser, after each change of the schemas; 'absurd migrate' repeats it where it was executed
-- before. Making roles that are not there yet needs CREATEROLE. Safe to execute again.
--
-- No role gets a right to change a table. The functions that a role may call become security definer: they run as
-- their owner, with a fixed search_path, and only the roles named here may call them. Executed by a superuser they also
-- keep to the real clock, whatever absurd.fake_now their caller sets; nobody else may fix that. So a worker
-- can record something of a run only under the claim that it holds, and give up those of workers that have been silent for
-- their time; the id of a worker is believed, so one that uses another's can give back what that one holds; who says without proof that a worker is dead is believed, which is for supervisors and operators. A producer can
-- add tasks and events, cancel, ask for results, and nothing else. Roles that have rights on the tables of their own keep
-- them, but need one of these roles to call those functions. Rights are for all queues alike.

do $roles$
declare
  v_roles constant text[] := array[
    'absurd_producer', 'absurd_worker', 'absurd_supervisor', 'absurd_operator', 'absurd_viewer'
  ];
  v_role text;
  v_function record;
  v_owner text;
  v_table record;
  v_fixes_clock boolean := true;
begin
  foreach v_role in array v_roles loop
    if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then null;  -- made meanwhile, for another database
      end;
    end if;
    execute format('grant usage on schema absurd, absurd_swift to %I', v_role);
  end loop;

  -- Who may call what. Every function of the two schemas is named here, or in the list of inner functions below, but
  -- those that queues have of their own (claim:orders). 'public' stays as it is: it shows nothing but queues.
  for v_function in
    select p.oid::regprocedure as name, f.callers
    from (values
      ('absurd', 'get_schema_version', 'public'),
      ('absurd', 'current_time', 'public'),
      ('absurd', 'list_queues', 'public'),
      ('absurd', 'get_queue_policy', 'public'),
      ('absurd_swift', 'get_schema_version', 'public'),
      ('absurd_swift', 'missing_triggers', 'public'),
      ('absurd_swift', 'missing_indexes', 'public'),

      ('absurd_swift', 'spawn', 'producer worker operator'),
      ('absurd_swift', 'spawn_new', 'producer worker operator'),
      ('absurd_swift', 'emit', 'producer worker operator'),
      ('absurd_swift', 'spawn_and_claim', 'worker'),
      ('absurd_swift', 'emit_and_claim', 'worker'),
      ('absurd_swift', 'cancel', 'producer worker operator'),
      ('absurd_swift', 'task_results', 'producer worker operator'),
      ('absurd', 'get_task_result', 'producer worker operator viewer'),

      ('absurd_swift', 'claim', 'worker'),
      ('absurd_swift', 'load_checkpoints', 'worker'),
      ('absurd_swift', 'checkpoint', 'worker'),
      ('absurd_swift', 'renew', 'worker'),
      ('absurd_swift', 'await_event', 'worker'),
      ('absurd_swift', 'await_task', 'worker'),
      ('absurd_swift', 'finish', 'worker'),
      ('absurd_swift', 'complete', 'worker'),
      ('absurd_swift', 'give_back_strays', 'worker'),
      ('absurd_swift', 'arm', 'worker'),
      ('absurd_swift', 'disarm', 'worker'),
      ('absurd_swift', 'due_in', 'worker viewer operator'),
      ('absurd_swift', 'make_triggers', 'worker operator'),
      ('absurd_swift', 'make_functions', 'worker operator'),
      ('absurd', 'get_task_checkpoint_state', 'worker operator viewer'),
      ('absurd_swift', 'register', 'worker'),
      ('absurd_swift', 'beat', 'worker'),
      ('absurd_swift', 'reap', 'worker'),
      ('absurd_swift', 'deregister', 'worker'),
      ('absurd_swift', 'worker_lost', 'supervisor operator'),
      ('absurd_swift', 'process_lost', 'supervisor operator'),

      ('absurd', 'create_queue', 'operator'),
      ('absurd', 'drop_queue', 'operator'),
      ('absurd', 'set_queue_policy', 'operator'),
      ('absurd', 'ensure_partitions', 'operator'),
      ('absurd', 'retry_task', 'operator'),
      ('absurd', 'cleanup_tasks', 'operator'),
      ('absurd', 'cleanup_events', 'operator'),
      ('absurd', 'cleanup_all_queues', 'operator')
    ) f(schema, function, callers)
    join pg_catalog.pg_namespace n on n.nspname = f.schema
    join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname = f.function
    where f.callers <> 'public'
  loop
    execute format('alter function %s security definer set search_path = pg_catalog, pg_temp', v_function.name);
    begin
      execute format('alter function %s set absurd.fake_now = %L', v_function.name, '');
    exception
      when insufficient_privilege then v_fixes_clock := false;
    end;
    execute format('revoke all on function %s from public', v_function.name);
    foreach v_role in array v_roles loop
      execute format('revoke all on function %s from %I', v_function.name, v_role);
    end loop;
    foreach v_role in array string_to_array(v_function.callers, ' ') loop
      execute format('grant execute on function %s to %I', v_function.name, 'absurd_' || v_role);
    end loop;
  end loop;

  if not v_fixes_clock then
    raise warning 'roles can move their own clock with absurd.fake_now; to prevent it, execute this as a superuser';
  end if;

  -- Tables: the list of queues for all, everything for those who look. Queues that are made later belong to the owner
  -- of create_queue, so that its default privileges apply.
  grant select on absurd.queues to absurd_producer, absurd_worker;
  grant select on all tables in schema absurd, absurd_swift to absurd_operator, absurd_viewer;
  select pg_catalog.pg_get_userbyid(p.proowner) into v_owner
  from pg_catalog.pg_proc p
  where p.oid = 'absurd.create_queue(text, text)'::regprocedure;
  execute format(
    'alter default privileges for role %I in schema absurd, absurd_swift'
    ' grant select on tables to absurd_operator, absurd_viewer', v_owner
  );
  for v_table in
    select c.oid::regclass as name, pg_catalog.pg_get_userbyid(c.relowner) as owner
    from pg_catalog.pg_class c
    where c.relnamespace = 'absurd'::regnamespace and c.relkind in ('r', 'p')
      and not pg_catalog.pg_has_role(v_owner, c.relowner, 'USAGE')
  loop
    raise warning 'table % belongs to %, so the functions of % cannot use it: alter table % owner to %',
      v_table.name, v_table.owner, v_owner, v_table.name, v_owner;
  end loop;
end;
$roles$;

-- Inner functions and those that other SDKs call. They run with the rights of their caller, so none of the roles
-- can do anything with them. Workers of other SDKs use a role of their own, with rights on the tables, or the owner.
--
-- inner absurd: await_event cancel_task cancellation_deadline check_cancellation check_detached_partition
-- inner absurd: check_named_queue check_queue_collision check_ttl claim_task complete_run create_partition_table
-- inner absurd: cron_can_unschedule cron_scope detach_statement disable_cron drop_default_partitions
-- inner absurd: drop_detached_partition emit_event enable_cron ensure_default_partition ensure_partitions_of
-- inner absurd: ensure_queue_indexes ensure_queue_tables ensure_table ensure_week extend_claim fail_run fail_run_at
-- inner absurd: find_registered_task get_task_checkpoint_states has_detach_job is_empty_table is_reserved_suffix
-- inner absurd: is_scheduled list_detach_candidates lock_ended_tasks lock_event lock_queue lock_runs
-- inner absurd: move_default_rows partition_bound partition_key partition_week_tag policy_interval policy_mode
-- inner absurd: portable_uuidv7 raise_not_running reattach_partition receive_event require_cron
-- inner absurd: retry_delay_seconds retry_strategy_number schedule_detach_jobs schedule_run
-- inner absurd: set_task_checkpoint_state spawn_task storage_clause suspend_for_event sweep_leases sweep_policies unschedule_jobs
-- inner absurd: unschedule_queue_jobs uuidv7_floor uuidv7_timestamp validate_queue_name week_bucket_utc
-- inner absurd: weekly_partitions
-- inner absurd_swift: await_event_rows await_event_statement await_task_rows beat_gap beat_window cancel_tasks
-- inner absurd_swift: checkpoint_rest checkpoint_rows checkpoint_statement claim_lock claim_statement claim_task_join
-- inner absurd_swift: complete_statement complete_updates delete_late_waits_statement due_in_statement emit_rows emit_statement
-- inner absurd_swift: end_statement
-- inner absurd_swift: fail_each fail_expired fail_runs fail_runs_of finish_complete finish_fail finish_park
-- inner absurd_swift: finish_rest finish_rows has_cancel_at has_duplicates has_kind hold_events_statement holds_runs
-- inner absurd_swift: idle_beat_window is_cancellation_policy is_event_wait is_over is_result_channel is_suspect
-- inner absurd_swift: is_task_wait json_join load_statement lock_awaited_events lock_claims
-- inner absurd_swift: lock_waiting_runs_statement look_at_tasks missing_functions notify_results notify_wake
-- inner absurd_swift: options_join parked_rest parse_json parse_spawn_options partition_index_statements
-- inner absurd_swift: place_events_statement planned_body planned_call planned_kinds policy_end policy_seconds
-- inner absurd_swift: hold_worker is_spawnable note_claim put_statement rouse_statement spawn_one tell_statement
-- inner absurd_swift: emit_and_claim_body spawn_and_claim_body with_arguments
-- inner absurd_swift: ready_index_statements renew_statement renewed_expiry
-- inner absurd_swift: require_equal_lengths require_queue retry_due silence_limit spawn_options spawn_rest spawn_rows
-- inner absurd_swift: spawn_statement sweep_claims sweep_policies take_out uuid_at verdict wake_channel wake_class
-- inner absurd_swift: wake_event_waits wake_key wake_result_waits wake_runs_statement wanted_events_statement
