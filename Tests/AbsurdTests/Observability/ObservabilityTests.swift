import Absurd
import InMemoryLogging
import InMemoryTracing
import LibPQ
import Logging
import Metrics
import MetricsTestKit
import Synchronization
import TestSupport
import Testing
import Tracing

/// The process-wide systems of metrics and tracing can be set once.
private enum Systems {
    static let metrics: TestMetrics = {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        return metrics
    }()

    static let tracer: InMemoryTracer = {
        let tracer = InMemoryTracer()
        InstrumentationSystem.bootstrap(SwitchedTracer(base: tracer))
        return tracer
    }()
}

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ObservabilityTests {
    @Test func `metrics count claims and outcomes by queue and task and time the runs`() async throws {
        let metrics = Systems.metrics
        let handlers = [
            Handler("metered") { context in
                try await context.sleep(for: .milliseconds(1))
                return .complete
            },
            Handler("failing") { _ in throw TaskFailure("x", retry: .never) },
        ]
        try await withEngine(handlers, queue: "metered queue") { engine in
            let task = try await engine.client.spawn("metered", params: nil, on: "metered queue")
            _ = try await task.result(timeout: .seconds(60))
            let failing = try await engine.client.spawn("failing", params: nil, on: "metered queue")
            await #expect(throws: TaskFailure.self) { try await failing.result(timeout: .seconds(60)) }
            let unknown = try await engine.client.spawn("unknown", params: nil, on: "metered queue")
            try await engine.waitUntil(unknown.taskID, is: .sleeping)
        }
        let queue = ("queue", "metered queue")
        func total(_ label: String, _ task: String) throws -> Int64 {
            try metrics.expectCounter(label, [queue, ("task", task)]).totalValue
        }
        #expect(try total("absurd.runs.completed", "metered") == 1)
        #expect(try total("absurd.runs.suspended", "metered") == 1)
        #expect(try total("absurd.runs.failed", "failing") == 1)
        #expect(try total("absurd.runs.deferred", "unknown") == 1)
        #expect(try metrics.expectCounter("absurd.runs.claimed", [queue]).totalValue == 4)
        let timer = try metrics.expectTimer(
            "absurd.run.duration", [queue, ("task", "metered"), ("outcome", "completed")])
        #expect(timer.values.count == 1)
        #expect(try metrics.expectGauge("absurd.slots.used", [queue]).lastValue == 0)
    }

    @Test func `metrics count the slots in use and every other way in which a claim ends`() async throws {
        let metrics = Systems.metrics
        let gates = ["held": HoldPoint(), "taken": HoldPoint()]
        let handlers =
            gates.map { name, gate in
                Handler(name) { _ in
                    await gate.arriveAndWait()
                    return .complete
                }
            } + [
                Handler("sleeper") { _ in
                    try await Task.sleep(for: .seconds(600))
                    return .complete
                }
            ]
        let queue = "held queue"
        // One slot, so that the worker itself takes nothing over.
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.concurrency = 1
        }
        @Sendable func total(_ outcome: String, _ task: String) throws -> Int64 {
            try metrics.expectCounter("absurd.runs.\(outcome)", [("queue", queue), ("task", task)]).totalValue
        }
        try await withEngine(handlers, queue: queue, options: options) { engine in
            defer { for gate in gates.values { gate.open() } }
            let events = engine.pool.events()
            let slots = try metrics.expectGauge("absurd.slots.used", [("queue", queue)])

            let held = try await engine.client.spawn("held", params: nil, on: queue)
            await gates["held"]?.untilArrived()
            #expect(slots.lastValue == 1)
            try await events.first { if case .claimLapsed = $0 { true } else { false } }
            gates["held"]?.open()
            _ = try await held.result(timeout: .seconds(60))
            #expect(try total("lapsed", "held") == 1)

            let cancelled = try await engine.client.spawn("sleeper", params: nil, on: queue)
            try await engine.waitUntil(cancelled.taskID, is: .running)
            try await cancelled.cancel()
            try await events.first { if case .cancelled = $0 { true } else { false } }
            #expect(try total("cancelled", "sleeper") == 1)

            let taken = try await engine.client.spawn("taken", params: nil, on: queue)
            await gates["taken"]?.untilArrived()
            _ = try await engine.rows(
                #"select absurd.schedule_run($1, run_id, now()) from absurd."r_held queue" where task_id = $2"#,
                [.text(queue), .uuid(taken.taskID.uuid)])
            let run = try await engine.client.claimRuns(
                on: queue, workerID: "B", claimTimeout: .minutes(5))[0]
            gates["taken"]?.open()
            try await events.first { if case .claimLost = $0 { true } else { false } }
            #expect(try total("lost", "taken") == 1)
            try await engine.client.complete(run, result: JSONValue.null)

            let released = try await engine.client.spawn("sleeper", params: nil, on: queue)
            try await engine.waitUntil(released.taskID, is: .running)
        }
        #expect(try total("released", "sleeper") == 1)
    }

    @Test func `metrics count the claims that failed`() async throws {
        // There before the pool, whose counters would go nowhere.
        let metrics = Systems.metrics
        let store = FakeStore { _ in throw PostgresError(.connectionLost, "gone") }
        let client = try makeClient()
        let pool = try WorkerPool(
            client, queue: "failing queue", handlers: [],
            options: testOptions { $0.maxBackoff = .milliseconds(20) }, store: store)
        let events = pool.events()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            for _ in 0..<3 {
                try await events.first { if case .claimFailed = $0 { true } else { false } }
            }
            group.cancelAll()
        }
        await client.close()
        let errors = try metrics.expectCounter("absurd.claims.errors", [("queue", "failing queue")])
        // One more or two may have followed before the pool was stopped.
        #expect(errors.totalValue >= 3 && errors.totalValue <= Int64(store.claimCount))
    }

    @Test func `a trace goes from the spawn through the headers to the run and its steps`() async throws {
        let tracer = Systems.tracer
        let handler = Handler("traced") { context in
            try await context.step("look") { 1 }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await SwitchedTracer.$injects.withValue(true) {
                try await withSpan("request") { _ in try await engine.client.spawn("traced", params: nil) }
            }
            _ = try await task.result(timeout: .seconds(60))
        }
        let spans = tracer.finishedSpans
        let request = try #require(spans.first { $0.operationName == "request" })
        let trace = spans.filter { $0.spanContext.traceID == request.spanContext.traceID }
        #expect(Set(trace.map(\.operationName)).isSuperset(of: ["spawn traced", "run traced", "step look"]))
        let run = try #require(trace.first { $0.operationName == "run traced" })
        let step = try #require(trace.first { $0.operationName == "step look" })
        #expect(step.spanContext.parentSpanID == run.spanContext.spanID)
    }

    @Test func `a spawn that nothing surrounds is the parent of its run`() async throws {
        let tracer = Systems.tracer
        try await withEngine([Handler("alone") { _ in .complete }]) { engine in
            let task = try await SwitchedTracer.$injects.withValue(true) {
                try await engine.client.spawn("alone", params: nil)
            }
            _ = try await task.result(timeout: .seconds(60))
        }
        let spans = tracer.finishedSpans
        let spawn = try #require(spans.first { $0.operationName == "spawn alone" })
        let run = try #require(spans.first { $0.operationName == "run alone" })
        #expect(run.spanContext.parentSpanID == spawn.spanContext.spanID)
    }

    @Test func `a slow subscriber loses the oldest events, which are counted, and delays nobody`()
        async throws
    {
        let handler = Handler("quick") { _ in .complete }
        try await withEngine([handler]) { engine in
            let slow = engine.pool.events(bufferSize: 2)
            let tasks = try await engine.client.spawnMany(
                (0..<20).map { _ in try SpawnRequest("quick", params: nil) })
            for task in tasks { _ = try await task.result(timeout: .seconds(60)) }
            try await eventually("drops were counted") { slow.droppedCount >= 38 }
        }
    }

    @Test func `a subscriber that goes away is forgotten, and neither the others nor the worker notice`()
        async throws
    {
        let broadcaster = EventBroadcaster()
        let client = try makeClient()
        try await client.createQueue("default")
        let worker = try Worker(
            client, queue: "default", handlers: [Handler("quick") { _ in .complete }], options: testOptions(),
            name: "watched", store: PostgresRunStore(pool: client.pool), broadcaster: broadcaster,
            slots: SlotCount(queue: "default"))
        // Kept until the end, so that nothing but the cancellation of its reader can have ended it.
        let cancelled = worker.events()
        try await withThrowingTaskGroup(of: Void.self) { group in
            do {
                let dropped = worker.events()
                group.addTask { try await worker.run() }
                let point = HoldPoint()
                await withTaskGroup(of: Void.self) { readers in
                    readers.addTask { for await _ in cancelled { point.arrive() } }
                    await point.untilArrived()
                    readers.cancelAll()
                }
                let task = try await client.spawn("quick", params: nil)
                try await dropped.first {
                    if case .completed(let run, _) = $0 { run.taskID == task.taskID } else { false }
                }
                #expect(broadcaster.isObserved)
            }
            try await eventually("both are forgotten") { !broadcaster.isObserved }
            let task = try await client.spawn("quick", params: nil)
            _ = try await task.result(timeout: .seconds(60))
            group.cancelAll()
        }
        await client.close()
        #expect(cancelled.droppedCount == 0)
    }

    @Test func `a handler logs with the ids of its run, and knows how long its claim lasts`() async throws {
        let logs = InMemoryLogHandler()
        let logger = Logger(label: "test") { _ in logs }
        let handler = Handler("logs") { context in
            context.logger.info("hello", metadata: ["order": "17"])
            return .complete(.double(context.claimTimeout / .seconds(1)))
        }
        let options = testOptions { $0.claimTimeout = .milliseconds(41_500) }
        try await withEngine([handler], options: options, logger: logger) { engine in
            let task = try await engine.client.spawn("logs", params: nil)
            #expect(try await task.result(timeout: .seconds(60)).doubleValue == 42)
            let hello = try #require(logs.entries.first { $0.message == "hello" })
            #expect(hello.metadata["task.id"] == "\(task.taskID)")
            #expect(hello.metadata["run.id"] == "\(task.runID)")
            #expect(hello.metadata["task.name"] == "logs" && hello.metadata["run.attempt"] == "1")
            #expect(hello.metadata["absurd.queue"] == "default" && hello.metadata["order"] == "17")
            #expect(hello.metadata["absurd.worker"] != nil)
        }
    }

    @Test func `records of a run carry its ids, and nothing is logged above info`() async throws {
        let logs = InMemoryLogHandler()
        var logger = Logger(label: "test") { _ in logs }
        logger.logLevel = .trace
        let handler = Handler("logged") { context in
            if context.attempt == 1 { throw TaskFailure("a secret 4711") }
            return .complete
        }
        try await withEngine([handler], logger: logger) { engine in
            let task = try await engine.client.spawn("logged", params: nil)
            _ = try await task.result(timeout: .seconds(60))
            try await eventually("the completion is logged") {
                logs.entries.contains { $0.message == "run completed" }
            }
            let failed = try #require(logs.entries.first { $0.message == "attempt failed" })
            #expect(failed.metadata["task.id"] == "\(task.taskID)")
            #expect(failed.metadata["task.name"] == "logged" && failed.metadata["run.attempt"] == "1")
        }
        #expect(logs.entries.allSatisfy { $0.level <= .info })
        #expect(!logs.entries.contains { "\($0.message) \($0.metadata)".contains("4711") })
    }

    @Test(arguments: [
        "silent": ["claim has run out"], "deaf": ["attempt timeout is over", "ignores its cancellation"],
    ])
    func `handlers that outlive their claims, limits and cancellation are no more than info either`(
        name: String, lines: [String]
    ) async throws {
        let gate = HoldPoint()
        let logs = InMemoryLogHandler()
        let logger = Logger(label: "test") { _ in logs }
        let handlers = [
            Handler("silent") { context in
                if context.attempt == 1 { await gate.arriveAndWait() }
                return .complete
            },
            Handler("deaf", attemptTimeout: .milliseconds(50)) { context in
                if context.attempt == 1 { await gate.arriveAndWait() }
                return .complete
            },
        ]
        // One slot, so that the worker itself does not take the run over before it says that the claim has run out.
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.concurrency = 1
        }
        try await withEngine(handlers, options: options, logger: logger) { engine in
            defer { gate.open() }
            _ = try await engine.client.spawn(name, params: nil)
            for line in lines {
                try await eventually("'\(line)' is logged") {
                    logs.entries.contains { "\($0.message)".contains(line) }
                }
            }
        }
        #expect(logs.entries.allSatisfy { $0.level <= .info })
    }
}
