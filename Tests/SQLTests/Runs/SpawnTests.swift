import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct SpawnTests {
    @Test(arguments: StorageMode.allCases)
    func `a task starts pending with one run due at once`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.spawn(
            #"{"headers":{"h":null},"max_attempts":"3","retry_strategy":{"kind":"fixed"},"unknown":1}"#,
            name: " job ")
        #expect(spawned.isNew)
        #expect(
            try await session.rows(
                """
                select task_name, params, headers, retry_strategy, max_attempts, cancellation, enqueue_at,
                       first_started_at, t.state, attempts, last_attempt_run = run_id, idempotency_key,
                       attempt, r.state as run_state, available_at, claimed_by, cancel_at
                  from absurd.t_jobs t join absurd.r_jobs r using (task_id)
                """)
                == [
                    #"(" job ",{},"{""h"": null}","{""kind"": ""fixed""}",3,,"2024-04-01 10:00:00+00",,pending,1,t,,"#
                        + #"1,pending,"2024-04-01 10:00:00+00",,)"#
                ])
    }

    @Test func `params and headers tell SQL NULL from JSON null`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.run("select absurd.spawn_task('jobs', 'a', null, '{\"headers\":null}')")
        #expect(
            try await session.rows("select params, headers, max_attempts from absurd.t_jobs") == [
                "(null,null,)"
            ])
    }

    @Test(arguments: ["null", "5", "[]", #""x""#])
    func `options that are no object count as none`(_ options: String) async throws {
        let session = try await Session(.unpartitioned)
        #expect(try await session.spawn(options).isNew)
    }

    @Test(arguments: [
        (#"{"max_attempts":0}"#, "P0001"), (#"{"max_attempts":2.5}"#, "22P02"),
        (#"{"max_attempts":99999999999}"#, "22003"), (#"{"retry_strategy":null}"#, "AB003"),
        (#"{"retry_strategy":{"kind":"x"}}"#, "AB003"),
        (#"{"cancellation":5}"#, "P0001"), (#"{"cancellation":[]}"#, "P0001"),
        (#"{"cancellation":{"max_delay":1.5}}"#, "P0001"), (#"{"cancellation":{"max_delay":-1}}"#, "P0001"),
        (#"{"cancellation":{"max_duration":"x"}}"#, "P0001"),
        (#"{"cancellation":{"max_duration":true}}"#, "P0001"),
        (#"{"cancellation":{"max_duration":1e20}}"#, "P0001"),
        (#"{"cancellation":{"max_delay":{}}}"#, "P0001"),
    ])
    func `invalid options are refused and leave nothing`(_ options: String, _ state: String) async throws {
        let session = try await Session(.partitioned)
        let keyed = String(options.dropLast()) + #","idempotency_key":"k"}"#
        #expect(
            try await session.sqlState("select absurd.spawn_task('jobs', 'a', '1', $1)", .text(keyed))
                == state)
        #expect(try await session.count("t_jobs") == "0")
        #expect(try await session.count("i_jobs") == "0")
    }

    @Test(arguments: [
        "null", "{}", #"{"max_delay":0,"max_duration":null}"#, #"{"max_delay":"50"}"#,
        #"{"max_duration":999999999999999}"#, #"{"other":"x"}"#,
    ])
    func `a valid cancellation policy is stored as it is`(_ policy: String) async throws {
        let session = try await Session(.unpartitioned)
        try await session.spawn(#"{"cancellation":\#(policy)}"#)
        #expect(
            try await session.value("select cancellation = $1::text::jsonb from absurd.t_jobs", .text(policy))
                == "true")
    }

    @Test func `a blank name is refused`() async throws {
        let session = try await Session(.unpartitioned)
        for name in ["null", "''", "'  '"] {
            #expect(try await session.sqlState("select absurd.spawn_task('jobs', \(name), '1')") == "P0001")
        }
    }

    @Test(arguments: StorageMode.allCases)
    func `a key finds its task again whatever became of it`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let first = try await session.spawn(#"{"idempotency_key":"5"}"#)
        var again = try await session.spawn(#"{"idempotency_key":5,"max_attempts":1}"#, name: "other")
        #expect(again == Spawned(task: first.task, run: first.run, isNew: false))
        try await session.claim()
        try await session.fail(first.run)
        again = try await session.spawn(#"{"idempotency_key":"5"}"#)
        #expect(!again.isNew && again.task == first.task && again.run != first.run)
        try await session.cancel(first.task)
        #expect(try await session.spawn(#"{"idempotency_key":"5"}"#).task == first.task)
        #expect(try await session.spawn(#"{"idempotency_key":""}"#).isNew)
        #expect(try await !session.spawn(#"{"idempotency_key":""}"#).isNew)
        #expect(try await session.count("t_jobs") == "2")
    }

    @Test(arguments: StorageMode.allCases)
    func `cleanup frees a key`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let first = try await session.spawn(#"{"idempotency_key":"k"}"#)
        try await session.cancel(first.task)
        try await session.setClock(seconds: 10)
        try await session.run("select absurd.cleanup_tasks('jobs', 5)")
        let second = try await session.spawn(#"{"idempotency_key":"k"}"#)
        #expect(second.isNew && second.task != first.task)
    }

    @Test(arguments: StorageMode.allCases)
    func `two spawns of one key at a time make one task`(_ mode: StorageMode) async throws {
        let first = try await Session(mode)
        let second = try await Session()
        let created = try await first.holding(
            #"select absurd.spawn_task('jobs', 'a', '1', '{"idempotency_key":"k"}')"#, whileBlocked: second
        ) { try await $0.spawn(#"{"idempotency_key":"k"}"#) }
        #expect(!created.isNew)
        #expect(try await second.count("t_jobs") == "1")
    }

    @Test func `a key whose task is deleted while it is looked up is spawned anew`() async throws {
        let session = try await Session(.unpartitioned)
        let deleter = try await Session()
        let old = try await session.spawn(#"{"idempotency_key":"k"}"#)
        let spawned = try await deleter.holding(
            "delete from absurd.t_jobs where task_id = $1", .text(old.task), whileBlocked: session
        ) { try await $0.spawn(#"{"idempotency_key":"k"}"#) }
        #expect(spawned.isNew && spawned.task != old.task)
    }

    @Test func `in a partitioned queue a key that is being cleaned up asks for another try`() async throws {
        let session = try await Session(.partitioned)
        let old = try await session.spawn(#"{"idempotency_key":"k"}"#)
        try await session.run("delete from absurd.t_jobs where task_id = $1", .text(old.task))
        #expect(
            try await session.sqlState(
                #"select absurd.spawn_task('jobs', 'a', '1', '{"idempotency_key":"k"}')"#) == "40001")
    }

    @Test(arguments: StorageMode.allCases)
    func `the result is there when the task has ended`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let query = "select state, result, failure_reason from absurd.get_task_result('jobs', $1)"
        let done = try await session.running()
        #expect(try await session.rows(query, .text(done.task)) == ["(running,,)"])
        try await session.complete(done.run, "null")
        #expect(try await session.rows(query, .text(done.task)) == ["(completed,null,)"])
        let failed = try await session.running(#"{"max_attempts":1}"#)
        try await session.fail(failed.run, #"{"a":1}"#)
        #expect(try await session.rows(query, .text(failed.task)) == [#"(failed,,"{""a"": 1}")"#])
        let cancelled = try await session.spawn()
        try await session.cancel(cancelled.task)
        #expect(try await session.rows(query, .text(cancelled.task)) == ["(cancelled,,)"])
        #expect(try await session.rows(query, .text(Spawned.unknown.task)) == [])
        #expect(try await session.sqlState("select absurd.get_task_result('', null)") == "P0001")
    }
}
