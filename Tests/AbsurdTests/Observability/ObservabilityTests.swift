import Absurd
import InMemoryLogging
import InMemoryTracing
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
}
