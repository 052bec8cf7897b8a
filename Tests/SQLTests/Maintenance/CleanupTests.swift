import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct CleanupTests {
    @Test(arguments: StorageMode.allCases)
    func `a task goes with all that belongs to it, when it ended before the limit of age`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        let done = try await session.running(#"{"idempotency_key":"k"}"#)
        try await session.run(
            "select absurd.set_task_checkpoint_state('jobs', $1, 's', '1', $2)", .text(done.task),
            .text(done.run))
        try await session.complete(done.run)
        let failed = try await session.running(#"{"max_attempts":1}"#)
        try await session.fail(failed.run)
        let cancelled = try await session.spawn()
        try await session.cancel(cancelled.task)
        let live = try await session.running(timeout: 0)
        try await session.fail(live.run)

        try await session.setClock(seconds: 60)
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 60)") == "0")
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 59)") == "3")
        #expect(try await session.value("select task_id from absurd.t_jobs") == live.task)
        #expect(try await session.count("r_jobs") == "2")
        #expect(try await session.count("c_jobs") == "0")
        if mode == .partitioned { #expect(try await session.count("i_jobs") == "0") }
    }

    @Test func `the oldest end goes first`() async throws {
        let session = try await Session(.unpartitioned)
        var ended: [String] = []
        for second in 1...6 {
            try await session.setClock(seconds: second)
            let spawned = try await session.running(#"{"max_attempts":1}"#)
            switch second % 3 {
            case 0: try await session.complete(spawned.run)
            case 1: try await session.fail(spawned.run)
            default: try await session.cancel(spawned.task)
            }
            ended.append(spawned.task)
        }
        try await session.setClock(seconds: 100)
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0, 4)") == "4")
        #expect(
            try await session.value(
                "select array_agg(task_id order by enqueue_at)::text[] = $1 from absurd.t_jobs",
                .textArray(Array(ended[4...])))
                == "true")
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0, null)") == "2")
    }

    @Test func `a TTL must be given and not negative, a limit not negative`() async throws {
        let session = try await Session(.unpartitioned)
        for function in ["cleanup_tasks", "cleanup_events"] {
            #expect(try await session.sqlState("select absurd.\(function)('jobs', null)") == "P0001")
            #expect(try await session.sqlState("select absurd.\(function)('jobs', -1)") == "P0001")
            #expect(try await session.sqlState("select absurd.\(function)('jobs', 0, -1)") == "2201W")
        }
    }

    @Test func `a task without an end is never deleted`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.complete(spawned.run)
        try await session.run("update absurd.r_jobs set completed_at = null")
        try await session.setClock(seconds: 10)
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0)") == "0")
    }

    @Test(arguments: StorageMode.allCases)
    func `a task that is being retried is passed over and keeps its runs`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let retrying = try await Session()
        let spawned = try await session.running(#"{"max_attempts":1}"#)
        try await session.fail(spawned.run)
        try await session.setClock(seconds: 10)
        try await retrying.connection.execute(script: "begin")
        try await retrying.run("select absurd.retry_task('jobs', $1)", .text(spawned.task))
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0)") == "0")
        try await retrying.connection.execute(script: "commit")
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0)") == "0")
        #expect(try await session.states(spawned.task) == "pending failed pending")
    }

    @Test func `a task whose run is locked waits for the next cleanup`() async throws {
        let session = try await Session(.unpartitioned)
        let holder = try await Session()
        let spawned = try await session.running()
        try await session.complete(spawned.run)
        try await session.setClock(seconds: 10)
        try await holder.holding("select 1 from absurd.r_jobs for update") {
            let answer = try await session.value("select absurd.cleanup_tasks('jobs', 0)")
            #expect(answer == "0")
        }
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0)") == "1")
    }

    @Test func `events go by age, placeholders when nobody waits for them any more`() async throws {
        let session = try await Session(.unpartitioned)
        let waiting = try await session.running()
        try await session.await("awaited", in: waiting)
        let given = try await session.running()
        try await session.await("abandoned", in: given)
        try await session.cancel(given.task)
        try await session.emit("old")
        try await session.setClock(seconds: 60)
        try await session.emit("young")
        #expect(try await session.value("select absurd.cleanup_events('jobs', 30)") == "2")
        #expect(
            try await session.rows("select event_name from absurd.e_jobs order by 1") == [
                "(awaited)", "(young)",
            ])
        try await session.emit("awaited")
        #expect(try await session.claim() == [waiting.run])
    }

    @Test func `live placeholders do not use up the limit`() async throws {
        let session = try await Session(.unpartitioned)
        for number in 1...5 {
            let spawned = try await session.running()
            try await session.await("awaited \(number)", in: spawned)
        }
        try await session.emit("one")
        try await session.setClock(seconds: 1)
        try await session.emit("two")
        try await session.setClock(seconds: 60)
        #expect(try await session.value("select absurd.cleanup_events('jobs', 0, 1)") == "1")
        #expect(try await session.value("select count(*) from absurd.e_jobs where event_name = 'two'") == "1")
        #expect(try await session.value("select absurd.cleanup_events('jobs', 0)") == "1")
        #expect(try await session.value("select absurd.cleanup_events('jobs', 0)") == "0")
    }

    @Test(arguments: StorageMode.allCases)
    func `all queues are cleaned up by their own policies`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        try await session.run("select absurd.create_queue('another')")
        try await session.run(
            #"select absurd.set_queue_policy('jobs', '{"cleanup_ttl":"10.9 s","cleanup_limit":1}')"#)
        for _ in 1...2 { try await session.complete(try await session.running().run) }
        try await session.emit("a")
        try await session.emit("b")
        try await session.setClock(seconds: 10)
        let cleanup = "select * from absurd.cleanup_all_queues()"
        #expect(try await session.rows(cleanup) == ["(another,0,0)", "(jobs,0,0)"])
        try await session.setClock(seconds: 11)
        #expect(try await session.rows(cleanup) == ["(another,0,0)", "(jobs,1,1)"])
        #expect(try await session.rows("select * from absurd.cleanup_all_queues('jobs')") == ["(jobs,1,1)"])
        #expect(try await session.sqlState("select absurd.cleanup_all_queues('nope')") == "P0001")
        #expect(try await session.sqlState("select absurd.cleanup_all_queues('')") == "P0001")
    }
}
