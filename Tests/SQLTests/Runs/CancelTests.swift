import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct CancelTests {
    @Test(arguments: StorageMode.allCases)
    func `cancelling ends the live run and the waits`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        try await session.fail(spawned.run)
        let second = Spawned(task: spawned.task, run: try #require(try await session.claim().first))
        try await session.await("e", in: second)
        try await session.setClock(seconds: 4)
        try await session.cancel(spawned.task)
        #expect(try await session.states(spawned.task) == "cancelled failed cancelled")
        #expect(try await session.value("select cancelled_at from absurd.t_jobs") == "2024-04-01 10:00:04+00")
        #expect(try await session.count("w_jobs") == "0")
        #expect(try await session.claim().isEmpty)
    }

    @Test func `cancelling again keeps the first time`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.cancel(spawned.task)
        try await session.setClock(seconds: 9)
        try await session.cancel(spawned.task)
        #expect(
            try await session.rows(
                "select cancelled_at, claimed_by, claim_expires_at from absurd.t_jobs join absurd.r_jobs using (task_id)"
            )
                == [#"("2024-04-01 10:00:00+00",,)"#])
    }

    @Test func `what has ended stays as it is`() async throws {
        let session = try await Session(.unpartitioned)
        let done = try await session.running()
        try await session.complete(done.run)
        try await session.cancel(done.task)
        #expect(try await session.states(done.task) == "completed completed")
        let failed = try await session.running(#"{"max_attempts":1}"#)
        try await session.fail(failed.run)
        try await session.cancel(failed.task)
        #expect(try await session.states(failed.task) == "failed failed")
    }

    @Test func `an unknown task is not found`() async throws {
        let session = try await Session(.unpartitioned)
        let refusal = try await session.refusal(
            "select absurd.cancel_task('jobs', $1)", .text(Spawned.unknown.task))
        #expect(refusal?.sqlState == "P0001")
        #expect(refusal?.message.contains("not found") == true)
    }

    @Test(arguments: StorageMode.allCases)
    func `a live task that lost its run can be cancelled`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.spawn()
        try await session.run("delete from absurd.r_jobs")
        try await session.cancel(spawned.task)
        #expect(try await session.states(spawned.task) == "cancelled")
    }
}
