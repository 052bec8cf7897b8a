import Absurd
import InMemoryLogging
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct AttemptTimeoutTests {
    @Test func `an attempt that takes too long is cancelled, fails under its name, and is tried again`()
        async throws
    {
        let heard = Mutex<[String]>([])
        let reasons = Mutex<[ExecutionEnded.Reason]>([])
        let handler = Handler("slow", attemptTimeout: .milliseconds(50)) { context in
            guard context.attempt == 1 else { return .complete(.integer(Int64(context.attempt))) }
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                do { try await context.heartbeat() } catch let ended as ExecutionEnded {
                    reasons.withLock { $0.append(ended.reason) }
                }
            }
            return .complete("too late")
        } onError: { failure, run in
            heard.withLock { $0.append("\(failure.name) \(run.attempt)") }
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("slow", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 2)
            let stored = try await engine.rows(
                "select failure_reason->>'name', failure_reason->>'message' from absurd.r_default where attempt = 1"
            )
            #expect(try stored[0].decode(0, as: String.self) == "$AttemptTimeout")
            #expect(try stored[0].decode(1, as: String.self).contains("0.05 seconds"))
        }
        #expect(heard.withLock(\.self) == ["$AttemptTimeout 1"])
        #expect(reasons.withLock(\.self) == [.timedOut])
    }

    @Test func `the last attempt that takes too long fails the task`() async throws {
        let handler = Handler("slow", attemptTimeout: .milliseconds(50)) { _ in
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "slow", params: nil, options: SpawnOptions(maxAttempts: 1))
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(failure?.name == "$AttemptTimeout")
        }
    }

    @Test func `time that the run is parked does not count`() async throws {
        let handler = Handler("sleeper", attemptTimeout: .seconds(20)) { context in
            try await context.sleep(for: .hours(1))
            return .complete(.integer(Int64(context.attempt)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("sleeper", params: nil)
            try await engine.waitUntil(task.taskID, is: .sleeping)
            // An hour passes for the run: far more than its attempt may take.
            _ = try await engine.rows(
                """
                with c as (
                  update absurd.c_default set state = to_jsonb(to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
                )
                update absurd.r_default
                set available_at = now(), wake_event = null, started_at = started_at - interval '1 hour'
                """)
            #expect(try await task.result(timeout: .seconds(60)) == 1)
        }
    }

    @Test func `a handler that ignores it loses its attempt but keeps its slot, which the log says`()
        async throws
    {
        let gate = HoldPoint()
        let logs = InMemoryLogHandler()
        let logger = Logger(label: "test") { _ in logs }
        let heard = Mutex(0)
        let handler = Handler("deaf", attemptTimeout: .milliseconds(50)) { context in
            guard context.attempt == 1 else { return .complete("second") }
            await gate.arriveAndWait()
            return .complete("first")
        } onError: { _, _ in
            heard.withLock { $0 += 1 }
        }
        try await withEngine([handler], options: testOptions { $0.concurrency = 2 }, logger: logger) {
            engine in
            defer { gate.open() }
            let events = engine.pool.events()
            let task = try await engine.client.spawn("deaf", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == "second")
            #expect(engine.pool.workers[0].slots.contains { $0.run?.attempt == 1 })
            #expect(logs.entries.count { "\($0.message)".contains("attempt timeout is over") } == 1)
            gate.open()
            try await eventually("the slot is free") {
                engine.pool.workers[0].slots.allSatisfy { $0.run == nil }
            }
            // What it returned in the end is dropped, and its failure was reported once.
            #expect(try await task.snapshot()?.state == .completed)
            #expect(try await engine.rows("select 1 from absurd.r_default where state = 'failed'").count == 1)
            let failures = try await failureCount(until: "completed", in: events)
            #expect(failures == 1)
        }
        #expect(heard.withLock(\.self) == 1)
    }

    private func failureCount(until end: String, in events: WorkerEvents) async throws -> Int {
        var count = 0
        for await event in events {
            switch event.kind {
            case .failed: count += 1
            case .completed: return count
            default: break
            }
        }
        throw EventsEnded()
    }

    @Test func `a suspension under way when the time is over wins`() async throws {
        let handler = Handler("parks", attemptTimeout: .milliseconds(200)) { context in
            try await context.awaitEvent("go")
            return .complete(.integer(Int64(context.attempt)))
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: .parkOnEvent)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: testOptions(), store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { store.pause.open() }
            group.addTask { try await pool.run() }
            let task = try await client.spawn("parks", params: nil)
            await store.pause.untilArrived()
            // Longer than the handler may take; nothing can be waited for, since nothing is to happen.
            try await Task.sleep(for: .milliseconds(400))
            store.pause.open()
            try await eventually("the run is parked") {
                try await client.pool.query("select 1 from absurd.r_default where state = 'sleeping'").count
                    == 1
            }
            try await client.emitEvent("go")
            #expect(try await task.result(timeout: .seconds(60)) == 1)
            group.cancelAll()
        }
        await client.close()
    }

    @Test(arguments: [Duration.zero, .seconds(-1), .microseconds(999), .days(366)])
    func `a limit out of range is refused when a worker is made`(_ limit: Duration) async throws {
        let client = try makeClient()
        let handler = Handler("odd", attemptTimeout: limit) { _ in .complete }
        let error = #expect(throws: AbsurdError.self) {
            _ = try WorkerPool(client, handlers: [handler])
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("attemptTimeout of the handler of task 'odd'") == true)
        await client.close()
    }
}
