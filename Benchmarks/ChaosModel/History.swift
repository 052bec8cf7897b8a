/// Tables and triggers that keep what happens in a queue, without asking the engine.
///
/// The rows are committed with the changes that they note, so a change that was rolled back has none.
package enum History {
    /// Installs the history in the database of the queue, which exists.
    package static let schema = tables + statedClaims + triggers

    private static let tables = """
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

        -- Each write of a checkpoint, who held its run after that, and whose claim the writer stated.
        create table history.checkpoints (
          seq bigint generated always as identity primary key,
          task_id uuid not null,
          name text not null,
          state jsonb,
          run_id uuid,
          run_state text,
          holder text,
          claim timestamptz,
          writer text,
          tokens timestamptz[],
          xid xid8 not null default pg_current_xact_id(),
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

        -- Each change of a run's state or claim, with who held it before and whose claim the writer stated.
        create table history.runs (
          seq bigint generated always as identity primary key,
          run_id uuid not null,
          task_id uuid not null,
          old_state text,
          new_state text not null,
          old_holder text,
          old_claim timestamptz,
          old_expiry timestamptz,
          writer text,
          tokens timestamptz[],
          reason jsonb,
          -- Other runs of the task that had not ended at that moment.
          open_others integer not null,
          xid xid8 not null default pg_current_xact_id(),
          at timestamptz not null default clock_timestamp()
        );
        create index on history.runs (run_id);

        -- Each change of the end of a claim that goes on.
        create table history.renewals (
          run_id uuid not null,
          holder text,
          claim timestamptz,
          old_expiry timestamptz,
          new_expiry timestamptz,
          writer text,
          tokens timestamptz[]
        );

        create table history.events (
          seq bigint generated always as identity primary key,
          name text not null,
          payload jsonb not null
        );

        -- Deadlines of those who wait for events.
        create table history.waits (run_id uuid not null, event text not null, timeout_at timestamptz);
        create index on history.waits (run_id);

        -- Deadlines that a handler was told had passed, and the claim under which it was.
        create table history.timeouts (run_id uuid not null, event text not null, claim timestamptz not null);

        -- The idempotency keys of all tasks that programs spawn; handlers spawn others.
        create table history.planned (key text primary key);

        -- Tasks whose spawn has returned to its caller, and the key they were spawned with.
        create table history.accepted (task_id uuid not null, key text not null);

        -- Failed tasks that are given another attempt by hand.
        create table history.retried (task_id uuid not null);

        -- Events whose emission has returned to its caller.
        create table history.emitted (name text not null, at timestamptz not null default clock_timestamp());

        """
}
