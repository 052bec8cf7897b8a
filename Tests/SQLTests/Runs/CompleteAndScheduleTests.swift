import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct CompleteAndScheduleTests {
    @Test(arguments: StorageMode.allCases)
    func `completing ends run and task and keeps who did it`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        try await session.setClock(seconds: 5)
        try await session.complete(spawned.run, #"{"a":1}"#)
        #expect(
            try await session.rows(
                """
                select r.state, result, completed_at, claimed_by, claim_expires_at is not null,
                       t.state as task_state, completed_payload, last_attempt_run = run_id
                  from absurd.r_jobs r join absurd.t_jobs t using (task_id)
                """) == [
                    #"(completed,"{""a"": 1}","2024-04-01 10:00:05+00",w,t,completed,"{""a"": 1}",t)"#
                ])
    }

    @Test func `a result may be SQL NULL or JSON null`() async throws {
        let session = try await Session(.unpartitioned)
        let none = try await session.running()
        try await session.run("select absurd.complete_run('jobs', $1)", .text(none.run))
        let null = try await session.running()
        try await session.complete(null.run, "null")
        #expect(
            try await session.rows(
                "select completed_payload from absurd.t_jobs order by enqueue_at, completed_payload")
                == ["(null)", "()"])
    }

    @Test func `a run that was not failed yet completes after its lease`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(timeout: 1)
        try await session.setClock(seconds: 100)
        try await session.complete(spawned.run)
        #expect(try await session.states(spawned.task) == "completed completed")
    }

    @Test func `only a running run can be completed`() async throws {
        let session = try await Session(.unpartitioned)
        let statement = "select absurd.complete_run('jobs', $1, '1')"
        let spawned = try await session.spawn()
        #expect(try await session.sqlState(statement, .text(spawned.run)) == "P0001")
        try await session.claim()
        try await session.await("e", in: spawned)
        #expect(try await session.sqlState(statement, .text(spawned.run)) == "P0001")
        try await session.emit("e")
        try await session.claim()
        try await session.complete(spawned.run)
        #expect(try await session.sqlState(statement, .text(spawned.run)) == "P0001")

        let failed = try await session.running()
        try await session.fail(failed.run)
        #expect(try await session.sqlState(statement, .text(failed.run)) == "AB002")
        let cancelled = try await session.running()
        try await session.cancel(cancelled.task)
        let refusal = try await session.refusal(statement, .text(cancelled.run))
        #expect(refusal?.sqlState == "AB001")
        #expect(refusal?.message.contains("cancelled") == true)
        #expect(try await session.sqlState(statement, .text(Spawned.unknown.run)) == "P0001")
    }

    @Test(arguments: StorageMode.allCases)
    func `a scheduled run sleeps as the same attempt`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        try await session.run(
            "select absurd.schedule_run('jobs', $1, absurd.current_time() + interval '7 s')",
            .text(spawned.run))
        #expect(
            try await session.rows(
                """
                select r.state, t.state as task_state, claimed_by, claim_expires_at, available_at, wake_event, attempts
                  from absurd.r_jobs r join absurd.t_jobs t using (task_id)
                """) == [#"(sleeping,sleeping,,,"2024-04-01 10:00:07+00",,1)"#])
        try await session.setClock(seconds: 7)
        #expect(try await session.claim() == [spawned.run])
    }

    @Test func `a wake time in the past is due at once`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.run("select absurd.schedule_run('jobs', $1, '2001-01-01')", .text(spawned.run))
        #expect(try await session.claim() == [spawned.run])
    }

    @Test func `only a running run can be scheduled, and nothing says why not`() async throws {
        let session = try await Session(.unpartitioned)
        let statement = "select absurd.schedule_run('jobs', $1, '2025-01-01')"
        let pending = try await session.spawn()
        #expect(try await session.sqlState(statement, .text(pending.run)) == "P0001")
        try await session.cancel(pending.task)
        #expect(try await session.sqlState(statement, .text(pending.run)) == "P0001")
        let failed = try await session.running()
        try await session.fail(failed.run)
        #expect(try await session.sqlState(statement, .text(failed.run)) == "P0001")
        #expect(try await session.sqlState(statement, .text(Spawned.unknown.run)) == "P0001")
    }
}
