import ChaosModel
import LibPQ
import TestSupport
import Testing

/// The checks of `make chaos` pass a history without faults, and each of them can fail.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ChaosCheckTests {
    @Test func `a history in which all went well breaks no promise`() async throws {
        let connection = try await history()
        #expect(try await brokenPromises(connection) == [])
    }

    @Test func `each broken rule is found`() async throws {
        let connection = try await history()
        for (promise, offence) in Self.offences {
            try await connection.execute(script: "begin; \(offence)")
            let broken = try await brokenPromises(connection)
            #expect(broken.contains(promise), "by: \(offence)")
            try await connection.execute(script: "rollback")
        }
        #expect(Set(Self.offences.map(\.promise)) == Set(Check.all.map(\.promise)))
    }

    private func brokenPromises(_ connection: PostgresConnection) async throws -> [String] {
        var broken: [String] = []
        for check in Check.all {
            if let promise = try await check.run({ try await connection.query($0) }) {
                broken.append(promise.promise)
            }
        }
        return broken
    }

    /// A completed task with a step and a received event, a doomed one, and a cancelled one.
    private func history() async throws -> PostgresConnection {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: "select absurd.create_queue('chaos')")
        try await connection.execute(script: History.schema)
        try await connection.execute(script: Self.workload)
        return connection
    }

    private static let workload = """
        do $$
        declare
          v_run record;
          v_claim timestamptz;
        begin
          insert into history.accepted
            select task_id from absurd.spawn_task('chaos', 'steady', '[]', '{"max_attempts": 3}');
          perform absurd.emit_event('chaos', 'one', '"hello"');
          insert into history.emitted values ('one');
          select * into v_run from absurd.claim_task('chaos', 'w', 60, 1);
          select started_at into v_claim from absurd.r_chaos where run_id = v_run.run_id;
          insert into history.effects values ('token', v_run.task_id, 'step-0', v_run.run_id, 'w', v_claim);
          perform absurd.set_task_checkpoint_state('chaos', v_run.task_id, 'step-0', '"token"', v_run.run_id, 60);
          perform absurd.await_event('chaos', v_run.task_id, v_run.run_id, 'event-one', 'one', null);
          perform absurd.complete_run('chaos', v_run.run_id, jsonb_build_object(
            'worker', 'w', 'claim', v_claim, 'values', '{"step-0": "token", "event-one": "hello"}'::jsonb));

          insert into history.accepted
            select task_id from absurd.spawn_task('chaos', 'doomed', '[]', '{"max_attempts": 1}');
          select * into v_run from absurd.claim_task('chaos', 'w', 60, 1);
          perform absurd.fail_run('chaos', v_run.run_id, '{}');

          insert into history.accepted
            select task_id from absurd.spawn_task('chaos', 'cancelled', '[]');
          perform absurd.cancel_task('chaos', task_id) from absurd.t_chaos where task_name = 'cancelled';
        end;
        $$;
        """

    private static let steady = "task_id = (select task_id from absurd.t_chaos where task_name = 'steady')"

    private static let offences: [(promise: String, offence: String)] = [
        ("an accepted task is kept", "insert into history.accepted values (gen_random_uuid())"),
        ("an accepted task is kept", "delete from absurd.t_chaos where \(steady)"),
        ("every accepted task ends", "select absurd.spawn_task('chaos', 'steady', '[]')"),
        ("a task ends as its kind has to", "update absurd.t_chaos set task_name = 'doomed' where \(steady)"),
        ("a terminal state never changes", "update absurd.t_chaos set state = 'cancelled' where \(steady)"),
        (
            "a terminal state never changes",
            "update absurd.t_chaos set completed_payload = '1' where \(steady)"
        ),
        ("a terminal state never changes", "update absurd.r_chaos set state = 'running' where \(steady)"),
        (
            "a step has one value, the first committed",
            "update absurd.c_chaos set state = '2' where \(steady)"
        ),
        ("a step has one value, the first committed", "delete from absurd.c_chaos where \(steady)"),
        (
            "a recorded value is that of an execution",
            "insert into absurd.c_chaos (task_id, checkpoint_name, state) select task_id, 'step-9', '1' from absurd.t_chaos"
        ),
        (
            "a step that is recorded is not executed under a later claim",
            """
            insert into history.effects
              select 'again', task_id, step, run_id, worker, now() + interval '1 minute' from history.effects
            """
        ),
        (
            "a handler saw what is recorded",
            """
            update absurd.t_chaos set completed_payload = jsonb_set(completed_payload, '{values,step-0}', '"other"')
             where \(steady)
            """
        ),
        (
            // Its claim ended with the run.
            "a writer that lost its claim records nothing",
            """
            insert into history.effects select 'late', task_id, 'step-1', run_id, worker, claim from history.effects;
            insert into absurd.c_chaos (task_id, checkpoint_name, state, owner_run_id)
              select task_id, step, '"late"', run_id from history.effects where token = 'late'
            """
        ),
        (
            "a task is completed by the holder of its run",
            "update absurd.r_chaos set claimed_by = 'other' where \(steady)"
        ),
        (
            "a task has one open run at a time",
            """
            insert into absurd.r_chaos (run_id, task_id, attempt, state, available_at)
              select gen_random_uuid(), task_id, n, 'pending', now() from absurd.t_chaos, generate_series(2, 3) n
               where \(steady)
            """
        ),
        ("an accepted event is kept, and its first emission counts", "delete from absurd.e_chaos"),
        (
            "an accepted event is kept, and its first emission counts",
            "update absurd.e_chaos set payload = '2'"
        ),
        (
            "an emitted event reaches every waiter",
            """
            insert into absurd.w_chaos (task_id, run_id, step_name, event_name)
              select task_id, run_id, 'event-one', 'one' from absurd.r_chaos
            """
        ),
        (
            "an emitted event reaches every waiter",
            "update absurd.c_chaos set state = '2' where checkpoint_name = 'event-one'"
        ),
        (
            "attempts stay within their limit, numbered without gaps",
            "update absurd.t_chaos set max_attempts = 0 where \(steady)"
        ),
        (
            "attempts stay within their limit, numbered without gaps",
            "update absurd.r_chaos set attempt = 2 where \(steady)"
        ),
        ("a task and its runs agree", "update absurd.t_chaos set attempts = 2 where \(steady)"),
        (
            "what has ended holds nothing and waits for nothing",
            "update absurd.r_chaos set state = 'pending' where \(steady)"
        ),
        ("the history ends where the tables stand", "delete from history.tasks"),
    ]
}
