import LibPQ
import TestSupport
import Testing

/// Run before task, everywhere, whoever comes first.
@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct LockOrderTests {
    @Test(arguments: [
        ("select absurd.complete_run('jobs', $1)", "completed completed"),
        ("select absurd.fail_run('jobs', $1, '1')", "failed failed"),
    ])
    func `cancelling waits for the run's holder and accepts what it did`(
        _ ending: String, _ states: String
    ) async throws {
        let holder = try await Session(.unpartitioned)
        let cancelling = try await Session()
        let spawned = try await holder.running(#"{"max_attempts":1}"#)
        try await holder.holding(
            "select 1 from absurd.r_jobs where run_id = $1 for update", .text(spawned.run),
            finally: { try await $0.run(ending, .text(spawned.run)) }, whileBlocked: cancelling
        ) { try await $0.cancel(spawned.task) }
        #expect(try await holder.states(spawned.task) == states)
    }

    @Test(arguments: StorageMode.allCases)
    func `cancelling goes on to the attempt that took the place of the one it waited for`(
        _ mode: StorageMode
    ) async throws {
        let holder = try await Session(mode)
        let cancelling = try await Session()
        let spawned = try await holder.running()
        try await holder.holding(
            "select absurd.fail_run('jobs', $1, '1')", .text(spawned.run), whileBlocked: cancelling
        ) { try await $0.cancel(spawned.task) }
        #expect(try await holder.states(spawned.task) == "cancelled failed cancelled")
    }

    @Test(arguments: [
        "select absurd.complete_run('jobs', $2)",
        "select absurd.fail_run('jobs', $2, '1')",
        "select absurd.schedule_run('jobs', $2, '2030-01-01')",
        "select absurd.extend_claim('jobs', $2, 60)",
        "select absurd.await_event('jobs', $1, $2, 'wait', 'e')",
        "select absurd.cancel_task('jobs', $1)",
    ])
    func `the run is locked before the task, which is not touched while the run is awaited`(
        _ statement: String
    ) async throws {
        let holder = try await Session(.unpartitioned)
        let other = try await Session()
        let spawned = try await holder.running()
        try await holder.holding(
            "select 1 from absurd.r_jobs where run_id = $1 for update", .text(spawned.run),
            finally: {
                try await $0.run(
                    "select 1 from absurd.t_jobs where task_id = $1 for update nowait", .text(spawned.task))
            }, whileBlocked: other
        ) {
            try await $0.run(
                statement.replacing("$1", with: "'\(spawned.task)'").replacing("$2", with: "'\(spawned.run)'")
            )
        }
    }

    @Test func `a run that is waited for and found cancelled is AB001`() async throws {
        let holder = try await Session(.unpartitioned)
        let other = try await Session()
        let spawned = try await holder.running()
        let state = try await holder.holding(
            "select absurd.cancel_task('jobs', $1)", .text(spawned.task), whileBlocked: other
        ) { try await $0.sqlState("select absurd.complete_run('jobs', $1)", .text(spawned.run)) }
        #expect(state == "AB001")
    }

    @Test
    func `emitting locks runs in the order of their ids, waits for them and does not touch tasks before`()
        async throws
    {
        let holder = try await Session(.unpartitioned)
        let emitting = try await Session()
        var waiting: [Spawned] = []
        for _ in 1...3 {
            let spawned = try await holder.running()
            try await holder.await("e", in: spawned)
            waiting.append(spawned)
        }
        waiting.sort { $0.run < $1.run }
        try await holder.holding(
            "select 1 from absurd.r_jobs where run_id = $1 for update", .text(waiting[1].run),
            finally: {
                try await $0.run(
                    "select 1 from absurd.r_jobs where run_id = $1 for update nowait", .text(waiting[2].run))
                for spawned in waiting {
                    try await $0.run(
                        "select 1 from absurd.t_jobs where task_id = $1 for update nowait",
                        .text(spawned.task))
                }
            }, whileBlocked: emitting
        ) { try await $0.emit("e") }
        #expect(try await holder.claim(9).count == 3)
    }

    @Test func `a claim and an emission that meet over an expired wait do not wait for each other`()
        async throws
    {
        let claiming = try await Session(.unpartitioned)
        let emitting = try await Session()
        let spawned = try await claiming.running()
        try await claiming.await("e", in: spawned, timeout: 5)
        try await claiming.setClock(seconds: 5)
        try await emitting.setClock(seconds: 5)
        try await emitting.holding("select absurd.emit_event('jobs', 'e')") {
            let answer = try await claiming.claim()
            #expect(answer == [spawned.run])
        }
    }

    @Test func `retrying by hand waits for the task`() async throws {
        let holder = try await Session(.unpartitioned)
        let retrying = try await Session()
        let spawned = try await holder.running(#"{"max_attempts":1}"#)
        try await holder.fail(spawned.run)
        let state = try await holder.holding(
            "select absurd.retry_task('jobs', $1)", .text(spawned.task), whileBlocked: retrying
        ) { try await $0.sqlState("select absurd.retry_task('jobs', $1)", .text(spawned.task)) }
        #expect(state == "P0001")
        #expect(try await holder.states(spawned.task) == "pending failed pending")
    }
}
