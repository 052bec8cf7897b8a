import Absurd
import InMemoryLogging
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

/// Whatever a handler does after its execution has ended, the outcome stands.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct EndOfExecutionTests {
    @Test func `a handler that catches everything stays parked and completes later`() async throws {
        let handler = Handler("catches") { context in
            do {
                let payload = try await context.awaitEvent("go", as: Int.self)
                return .complete(.integer(Int64(payload)))
            } catch {
                return .complete("swallowed")
            }
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("catches", params: nil)
            try await engine.waitUntil(task.taskID, is: .sleeping)
            try await engine.client.emitEvent("go", 5)
            #expect(try await task.result(timeout: .seconds(60)) == 5)
            #expect(try await engine.run("attempt", of: task.taskID, as: Int32.self) == 1)
        }
    }

    @Test func `a handler that throws after it was parked stays parked`() async throws {
        let handler = Handler("throws") { context in
            do {
                try await context.awaitEvent("go")
            } catch {
                throw TaskFailure("something else")
            }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let events = engine.pool.events()
            let task = try await engine.client.spawn("throws", params: nil)
            try await events.first { if case .suspended = $0 { true } else { false } }
            #expect(try await task.snapshot()?.state == .sleeping)
            #expect(try await engine.run("attempt", of: task.taskID, as: Int32.self) == 1)
        }
    }

    @Test func `a loop of swallowed errors is slowed down and logged once, and no body runs`() async throws {
        let logs = InMemoryLogHandler()
        let logger = Logger(label: "test") { _ in logs }
        let bodies = Mutex(0)
        let lasted = Mutex(Duration.zero)
        let handler = Handler("loops") { context in
            _ = try await context.step("before") { 1 }
            _ = try? await context.awaitEvent("go")
            let start = ContinuousClock.now
            // Twelve calls, two more than the one at which the line is logged.
            for _ in 1...6 {
                _ = try? await context.step("before") { bodies.withLock { $0 += 1 } }
                _ = try? await context.step("after") { bodies.withLock { $0 += 1 } }
            }
            lasted.withLock { $0 = ContinuousClock.now - start }
            return .complete
        }
        try await withEngine([handler], logger: logger) { engine in
            let events = engine.pool.events()
            let task = try await engine.client.spawn("loops", params: nil)
            try await events.first { if case .suspended = $0 { true } else { false } }
            #expect(try await task.snapshot()?.state == .sleeping)
        }
        #expect(bodies.withLock(\.self) == 0)
        // Pauses double from 16 milliseconds at the fourth call to 512 at the ninth; then each is a second.
        #expect(lasted.withLock(\.self) >= .milliseconds(3900))
        #expect(logs.entries.count { "\($0.message)".contains("execution has ended") } == 1)
    }

    @Test func `suspend with nothing parked fails the attempt and says so`() async throws {
        let handler = Handler("idle") { _ in .suspend }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "idle", params: nil, options: SpawnOptions(maxAttempts: 1))
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(failure?.name == "NothingParked")
        }
    }

    @Test func `a CancellationError of the handler's own making is a failure`() async throws {
        let handler = Handler("cancels") { _ in throw CancellationError() }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "cancels", params: nil, options: SpawnOptions(maxAttempts: 2))
            await #expect(throws: TaskFailure.self) { try await task.result(timeout: .seconds(60)) }
            #expect(try await engine.run("attempt", of: task.taskID, as: Int32.self) == 2)
        }
    }

    @Test func `a durable call after the handler has returned throws and records nothing`() async throws {
        let leaked = Mutex<TaskContext?>(nil)
        let handler = Handler("leaks") { context in
            leaked.withLock { $0 = context }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("leaks", params: nil)
            _ = try await task.result(timeout: .seconds(60))
            let found = leaked.withLock { $0 }
            let context = try #require(found)
            let ended = await #expect(throws: ExecutionEnded.self) { try await context.step("late") { 1 } }
            #expect(ended?.reason == .finished)
            let rows = try await engine.rows("select 1 from absurd.c_default")
            #expect(rows.isEmpty)
        }
    }

    @Test func `an attempt that fails is repeated with its recorded steps`() async throws {
        let bodies = Mutex(0)
        let handler = Handler("retries") { context in
            let value = try await context.step("once") {
                bodies.withLock {
                    $0 += 1; return $0
                }
            }
            if context.attempt < 3 { throw TaskFailure("not yet") }
            return .complete(.integer(Int64(value)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("retries", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 1)
            #expect(try await engine.run("attempt", of: task.taskID, as: Int32.self) == 3)
        }
    }

    @Test func `retry never fails the task although attempts are left, and onError hears of it`() async throws
    {
        let heard = Mutex<[String]>([])
        let handler = Handler("gives up") { _ in
            throw TaskFailure("nothing to pay", details: ["amount": 0], retry: .never)
        } onError: { failure, run in
            heard.withLock { $0.append("\(failure.message) \(run.attempt)") }
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("gives up", params: nil)
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(failure?.message == "nothing to pay")
            #expect(failure?.details == ["amount": 0])
            let reason = try await engine.run("failure_reason", of: task.taskID, as: String.self)
            let stored = try JSONText(reason).value()
            #expect(stored["name"] == "TaskFailure" && stored["stack"] != nil && stored["traceback"] != nil)
        }
        #expect(heard.withLock(\.self) == ["nothing to pay 1"])
    }

    @Test func `a result or a reason that jsonb cannot hold fails the attempt with a clear reason`()
        async throws
    {
        let result = Handler("bad result") { _ in .complete("a\u{0}b") }
        let reason = Handler("bad reason") { _ in throw TaskFailure("a\u{0}b") }
        try await withEngine([result, reason]) { engine in
            for name in ["bad result", "bad reason"] {
                let task = try await engine.client.spawn(
                    name, params: nil, options: SpawnOptions(maxAttempts: 1))
                await #expect(throws: TaskFailure.self) { try await task.result(timeout: .seconds(60)) }
            }
        }
    }
}
