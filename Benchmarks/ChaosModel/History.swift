/// Tables and triggers that keep what happens in a queue, without asking the engine.
///
/// The rows are committed with the changes that they note, so a change that was rolled back has none.
package enum History {
    /// Installs the history in the database of the queue, which exists.
    package static let schema = """
        create schema history;

        -- What bodies of steps did, and under which claim. The token is the value of the step.
        create table history.effects (
          token text primary key,
          task_id uuid not null,
          step text not null,
          run_id uuid not null,
          worker text not null,
          claim timestamptz not null
        );
        create index on history.effects (task_id, step);

        -- Each write of a checkpoint, and who held its run at that moment.
        create table history.checkpoints (
          seq bigint generated always as identity primary key,
          task_id uuid not null,
          name text not null,
          state jsonb,
          run_state text,
          holder text,
          claim timestamptz,
          at timestamptz not null default clock_timestamp()
        );
        create index on history.checkpoints (task_id, name);

        create table history.tasks (
          seq bigint generated always as identity primary key,
          task_id uuid not null,
          old_state text,
          new_state text not null,
          -- Whether anything in the row became another.
          is_changed boolean not null,
          at timestamptz not null default clock_timestamp()
        );
        create index on history.tasks (task_id);

        create table history.runs (
          seq bigint generated always as identity primary key,
          run_id uuid not null,
          task_id uuid not null,
          old_state text,
          new_state text not null,
          -- Other runs of the task that had not ended at that moment.
          open_others integer not null,
          at timestamptz not null default clock_timestamp()
        );

        create table history.events (
          seq bigint generated always as identity primary key,
          name text not null,
          payload jsonb not null
        );

        -- Tasks whose spawn has returned to its caller.
        create table history.accepted (task_id uuid not null);

        -- Events whose emission has returned to its caller.
        create table history.emitted (name text not null);

        create function history.note_task() returns trigger language plpgsql as $$
        begin
          insert into history.tasks (task_id, old_state, new_state, is_changed)
          values (new.task_id, case when tg_op = 'UPDATE' then old.state end, new.state,
            tg_op = 'INSERT' or old is distinct from new);
          return null;
        end;
        $$;

        create function history.note_run() returns trigger language plpgsql as $$
        begin
          if tg_op = 'UPDATE' and old.state = new.state then
            return null;
          end if;
          insert into history.runs (run_id, task_id, old_state, new_state, open_others)
          select new.run_id, new.task_id, case when tg_op = 'UPDATE' then old.state end, new.state, count(*)
            from absurd.r_chaos r
           where r.task_id = new.task_id and r.run_id <> new.run_id
             and new.state in ('pending', 'sleeping', 'running')
             and r.state in ('pending', 'sleeping', 'running');
          return null;
        end;
        $$;

        create function history.note_checkpoint() returns trigger language plpgsql as $$
        begin
          insert into history.checkpoints (task_id, name, state, run_state, holder, claim)
          select new.task_id, new.checkpoint_name, new.state, r.state, r.claimed_by, r.started_at
            from (select) one left join absurd.r_chaos r on r.run_id = new.owner_run_id;
          return null;
        end;
        $$;

        create function history.note_event() returns trigger language plpgsql as $$
        begin
          -- A row without payload is a placeholder of somebody who waits.
          if new.payload is not null then
            insert into history.events (name, payload) values (new.event_name, new.payload);
          end if;
          return null;
        end;
        $$;

        create trigger history after insert or update on absurd.t_chaos
          for each row execute function history.note_task();
        create trigger history after insert or update on absurd.r_chaos
          for each row execute function history.note_run();
        create trigger history after insert or update on absurd.c_chaos
          for each row execute function history.note_checkpoint();
        create trigger history after insert or update on absurd.e_chaos
          for each row execute function history.note_event();
        """
}
