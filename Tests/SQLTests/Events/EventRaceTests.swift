import LibPQ
import TestSupport
import Testing

/// Awaiting, emitting and cleaning up the same event at the same time.
@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct EventRaceTests {
    @Test(arguments: StorageMode.allCases)
    func `emitting waits for an await that has not committed`(_ mode: StorageMode) async throws {
        let awaiting = try await Session(mode)
        let emitting = try await Session()
        let spawned = try await awaiting.running()
        try await awaiting.holding(
            "select absurd.await_event('jobs', $1, $2, 'wait', 'e')", .text(spawned.task), .text(spawned.run),
            whileBlocked: emitting
        ) { try await $0.emit("e", "3") }
        #expect(try await awaiting.claim() == [spawned.run])
        #expect(try await awaiting.await("e", in: spawned) == "(f,3)")
    }

    @Test func `awaiting waits for an emission that has not committed`() async throws {
        let emitting = try await Session(.unpartitioned)
        let awaiting = try await Session()
        let spawned = try await emitting.running()
        let answer = try await emitting.holding(
            "select absurd.emit_event('jobs', 'e', '3')", whileBlocked: awaiting
        ) {
            try await $0.await("e", in: spawned)
        }
        #expect(answer == "(f,3)")
    }

    @Test func `emitting waits while an await is blocked on its wait row`() async throws {
        let holder = try await Session(.unpartitioned)
        let awaiting = try await Session()
        let emitting = try await Session()
        let spawned = try await holder.running()
        // The wait of an earlier suspension of the same step, locked by a third party.
        try await holder.run(
            "insert into absurd.w_jobs (task_id, run_id, step_name, event_name) values ($1, $2, 'wait', 'old')",
            .text(spawned.task), .text(spawned.run))
        try await holder.connection.execute(script: "begin; select * from absurd.w_jobs for update")
        async let suspended = awaiting.await("e", in: spawned)
        try await TestDatabase.current.waitUntilBlocked(awaiting.connection.backendPID)
        async let emitted: Void = emitting.emit("e", "4")
        try await TestDatabase.current.waitUntilBlocked(emitting.connection.backendPID)
        try await holder.connection.execute(script: "commit")
        #expect(try await suspended == "(t,)")
        try await emitted
        #expect(try await holder.states(spawned.task) == "pending pending")
    }

    @Test func `awaits of one event do not wait for each other`() async throws {
        let one = try await Session(.unpartitioned)
        let other = try await Session()
        let first = try await one.running()
        let second = try await one.running()
        try await one.run("insert into absurd.e_jobs values ('e', null, 'epoch')")
        try await one.holding(
            "select absurd.await_event('jobs', $1, $2, 'wait', 'e')", .text(first.task), .text(first.run)
        ) {
            let answer = try await other.await("e", in: second)
            #expect(answer == "(t,)")
        }
    }

    @Test func `a run that went on to another event while emit waited is not woken`() async throws {
        let working = try await Session(.unpartitioned)
        let emitting = try await Session()
        let spawned = try await working.running()
        try await working.await("old", in: spawned)
        try await working.holding(
            "select 1 from absurd.r_jobs where run_id = $1 for update", .text(spawned.run),
            finally: {
                try await $0.run("update absurd.w_jobs set event_name = 'new'")
                try await $0.run("update absurd.r_jobs set wake_event = 'new'")
            }, whileBlocked: emitting
        ) { try await $0.emit("old") }
        #expect(try await working.states(spawned.task) == "sleeping sleeping")
        #expect(try await working.rows("select event_name from absurd.w_jobs") == ["(new)"])
    }

    @Test func `an await whose placeholder is being deleted makes another`() async throws {
        let cleaning = try await Session(.unpartitioned)
        let awaiting = try await Session()
        let spawned = try await cleaning.running()
        try await cleaning.run("insert into absurd.e_jobs values ('e', null, 'epoch')")
        let answer = try await cleaning.holding(
            "select absurd.cleanup_events('jobs', 0)", whileBlocked: awaiting
        ) {
            try await $0.await("e", in: spawned)
        }
        #expect(answer == "(t,)")
        #expect(try await cleaning.count("e_jobs") == "1")
        try await cleaning.emit("e")
        #expect(try await cleaning.claim() == [spawned.run])
    }

    @Test func `cleanup passes over an event that is being awaited`() async throws {
        let awaiting = try await Session(.unpartitioned)
        let cleaning = try await Session()
        let spawned = try await awaiting.running()
        try await awaiting.run("insert into absurd.e_jobs values ('e', null, 'epoch')")
        try await awaiting.holding(
            "select absurd.await_event('jobs', $1, $2, 'wait', 'e')", .text(spawned.task), .text(spawned.run)
        ) {
            let deleted = try await cleaning.value("select absurd.cleanup_events('jobs', 0)")
            #expect(deleted == "0")
        }
    }
}
