import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct FailTests {
    @Test(arguments: StorageMode.allCases)
    func `without a strategy the next attempt is due at once`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        try await session.setClock(seconds: 3)
        try await session.fail(spawned.run, #"{"name":"E"}"#)
        #expect(
            try await session.rows(
                """
                select attempt, state, failed_at, failure_reason, claimed_by, claim_expires_at is not null, available_at
                  from absurd.r_jobs order by attempt
                """) == [
                    #"(1,failed,"2024-04-01 10:00:03+00","{""name"": ""E""}",w,t,"2024-04-01 10:00:00+00")"#,
                    #"(2,pending,,,,f,"2024-04-01 10:00:03+00")"#,
                ])
        #expect(
            try await session.rows(
                "select t.state, attempts, last_attempt_run = run_id from absurd.t_jobs t join absurd.r_jobs r using (task_id) where attempt = 2"
            ) == ["(pending,2,t)"])
    }

    @Test func `the strategy delays the next attempt by the number of the one that failed`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(
            #"{"retry_strategy":{"kind":"exponential","base_seconds":10}}"#)
        try await session.fail(spawned.run)
        #expect(try await session.states(spawned.task) == "sleeping failed sleeping")
        try await session.setClock(seconds: 10)
        let second = try #require(try await session.claim().first)
        try await session.fail(second)
        #expect(
            try await session.value("select available_at from absurd.r_jobs where attempt = 3")
                == "2024-04-01 10:00:30+00")
    }

    @Test(arguments: [(7, "sleeping", 7), (0, "pending", 0), (-5, "pending", 0)])
    func `an explicit time overrules the strategy`(_ offset: Int, _ state: String, _ due: Int) async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(#"{"retry_strategy":{"kind":"fixed"}}"#)
        try await session.run(
            "select absurd.fail_run('jobs', $1, '1', absurd.current_time() + make_interval(secs => $2))",
            .text(spawned.run), .int(Int64(offset)))
        #expect(
            try await session.rows(
                "select state, available_at - absurd.current_time() from absurd.r_jobs where attempt = 2")
                == ["(\(state),00:00:0\(due))"])
    }

    @Test func `the last attempt fails the task`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(#"{"max_attempts":2}"#)
        try await session.fail(spawned.run)
        let second = try #require(try await session.claim().first)
        try await session.fail(second)
        #expect(try await session.states(spawned.task) == "failed failed failed")
        #expect(try await session.value("select last_attempt_run from absurd.t_jobs") == second)
    }

    @Test func `a strategy from before strategies were checked fails the task for good`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.run(#"update absurd.t_jobs set retry_strategy = '{"kind":"gone"}'"#)
        try await session.fail(spawned.run)
        #expect(try await session.states(spawned.task) == "failed failed")
    }

    @Test(arguments: [(59, "sleeping failed sleeping"), (60, "cancelled failed")])
    func `an attempt that would start at the end of max_duration cancels the task`(
        _ delay: Int, _ states: String
    ) async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(
            #"{"cancellation":{"max_duration":60},"retry_strategy":{"kind":"fixed","base_seconds":\#(delay)}}"#
        )
        try await session.fail(spawned.run)
        #expect(try await session.states(spawned.task) == states)
        #expect(
            try await session.value(
                "select (cancelled_at is not null) = (state = 'cancelled') from absurd.t_jobs")
                == "true")
    }

    @Test(arguments: StorageMode.allCases)
    func `a sleeping run may be failed and its wait goes`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        try await session.await("e", in: spawned)
        try await session.fail(spawned.run)
        #expect(try await session.states(spawned.task) == "pending failed pending")
        #expect(try await session.count("w_jobs") == "0")
        #expect(try await session.value("select wake_event from absurd.r_jobs where attempt = 1") == nil)
    }

    @Test func `what has ended or not begun cannot fail`() async throws {
        let session = try await Session(.unpartitioned)
        let statement = "select absurd.fail_run('jobs', $1, '1')"
        let spawned = try await session.spawn()
        #expect(try await session.sqlState(statement, .text(spawned.run)) == "P0001")
        try await session.claim()
        try await session.complete(spawned.run)
        #expect(try await session.sqlState(statement, .text(spawned.run)) == "P0001")
        let failed = try await session.running()
        try await session.fail(failed.run)
        #expect(try await session.sqlState(statement, .text(failed.run)) == "AB002")
        try await session.cancel(failed.task)
        #expect(try await session.sqlState(statement, .text(failed.run)) == "AB002")
        let cancelled = try await session.running()
        try await session.cancel(cancelled.task)
        #expect(try await session.sqlState(statement, .text(cancelled.run)) == "AB001")
        #expect(try await session.sqlState(statement, .text(Spawned.unknown.run)) == "P0001")
    }
}
