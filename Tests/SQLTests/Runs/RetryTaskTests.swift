import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct RetryTaskTests {
    @Test(arguments: StorageMode.allCases)
    func `in place a failed task gets one more run`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.failed(#"{"max_attempts":1}"#)
        try await session.setClock(seconds: 5)
        #expect(
            try await session.rows(
                "select task_id = $1, attempt, created from absurd.retry_task('jobs', $1)",
                .text(spawned.task))
                == ["(t,2,f)"])
        #expect(try await session.states(spawned.task) == "pending failed pending")
        #expect(
            try await session.rows(
                "select attempts, max_attempts, last_attempt_run = run_id, available_at from absurd.t_jobs join absurd.r_jobs using (task_id) where attempt = 2"
            ) == [#"(2,2,t,"2024-04-01 10:00:05+00")"#])
        #expect(try await session.claim().count == 1)
    }

    @Test func `the new limit must leave an attempt`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.failed(#"{"max_attempts":1}"#)
        let refusal = try await session.refusal(
            #"select absurd.retry_task('jobs', $1, '{"max_attempts":1}')"#, .text(spawned.task))
        #expect(refusal?.sqlState == "P0001")
        #expect(refusal?.message.contains("must be greater than current attempts") == true)
        try await session.run(
            #"select absurd.retry_task('jobs', $1, '{"max_attempts":7}')"#, .text(spawned.task))
        #expect(try await session.value("select max_attempts from absurd.t_jobs") == "7")
    }

    @Test func `an unlimited task becomes limited`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.run(
            "update absurd.t_jobs set retry_strategy = '{\"kind\":\"gone\"}' where task_id = $1",
            .text(spawned.task))
        try await session.fail(spawned.run)
        try await session.run(
            "select absurd.retry_task('jobs', $1, '{\"max_attempts\":null}')", .text(spawned.task))
        #expect(try await session.value("select max_attempts from absurd.t_jobs") == "2")
    }

    @Test(arguments: StorageMode.allCases)
    func `a copy takes over everything but key and checkpoints`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let old = try await session.failed(
            #"{"max_attempts":1,"headers":{"a":null,"b":1},"retry_strategy":{"kind":"fixed"},"cancellation":{"max_delay":9},"idempotency_key":"k"}"#
        )
        #expect(
            try await session.rows(
                #"select task_id <> $1, attempt, created from absurd.retry_task('jobs', $1, '{"spawn_new":"true","max_attempts":4}')"#,
                .text(old.task)) == ["(t,1,t)"])
        #expect(
            try await session.rows(
                """
                select n.task_name = o.task_name, n.params = o.params, n.headers = o.headers,
                       n.retry_strategy = o.retry_strategy, n.cancellation = o.cancellation,
                       n.max_attempts, n.idempotency_key, o.state
                  from absurd.t_jobs n, absurd.t_jobs o where o.task_id = $1 and n.task_id <> $1
                """, .text(old.task)) == ["(t,t,t,t,t,4,,failed)"])
    }

    @Test(arguments: [
        (#"{"max_attempts":0}"#, "P0001"), (#"{"max_attempts":"x"}"#, "22P02"),
        (#"{"spawn_new":"perhaps"}"#, "22P02"),
    ])
    func `malformed options are refused`(_ options: String, _ state: String) async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.failed(#"{"max_attempts":1}"#)
        #expect(
            try await session.sqlState(
                "select absurd.retry_task('jobs', $1, $2)", .text(spawned.task), .text(options)) == state)
        #expect(try await session.states(spawned.task) == "failed failed")
    }

    @Test func `only a failed task can be retried`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.spawn()
        #expect(
            try await session.sqlState("select absurd.retry_task('jobs', $1)", .text(spawned.task)) == "P0001"
        )
        try await session.cancel(spawned.task)
        #expect(
            try await session.sqlState("select absurd.retry_task('jobs', $1)", .text(spawned.task)) == "P0001"
        )
        #expect(
            try await session.sqlState("select absurd.retry_task('jobs', $1)", .text(Spawned.unknown.task))
                == "P0001")
    }

    @Test func `the time since the first start goes on to count`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.failed(#"{"max_attempts":1,"cancellation":{"max_duration":60}}"#)
        try await session.setClock(seconds: 61)
        try await session.run("select absurd.retry_task('jobs', $1)", .text(spawned.task))
        #expect(try await session.claim().isEmpty)
        #expect(try await session.states(spawned.task) == "cancelled failed cancelled")
    }
}

extension Session {
    /// A task that has failed for good.
    fileprivate func failed(_ options: String) async throws -> Spawned {
        let spawned = try await running(options)
        try await fail(spawned.run)
        return spawned
    }
}
