import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct AroundExecutionTests {
    @TaskLocal private static var tenant = "nobody"

    @Test func `the hook runs around every execution, with its context, and passes on what ends it`()
        async throws
    {
        let log = Mutex<[String]>([])
        var hooks = Hooks()
        hooks.aroundExecution = { context, execute in
            log.withLock { $0.append("before \(context.taskName)") }
            do {
                try await Self.$tenant.withValue("acme") { try await execute() }
                log.withLock { $0.append("returned") }
            } catch {
                log.withLock { $0.append("\(type(of: error))") }
                throw error
            }
        }
        let handler = Handler("t") { context in
            try await context.sleep("nap", for: .milliseconds(1))
            guard context.attempt > 1 else { throw TaskFailure("the first attempt fails") }
            return .complete(.string(Self.tenant))
        }
        try await withEngine([handler], hooks: hooks) { engine in
            let task = try await engine.client.spawn("t", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == "acme")
        }
        #expect(
            log.withLock(\.self) == [
                "before t", "ExecutionEnded", "before t", "TaskFailure", "before t", "returned",
            ])
    }

    @Test func `an error of the hook itself fails the attempt, and the handler does not run`() async throws {
        struct Closed: Error {}
        let runs = Mutex(0)
        var hooks = Hooks()
        hooks.aroundExecution = { context, execute in
            guard context.attempt > 1 else { throw Closed() }
            try await execute()
        }
        let handler = Handler("t") { context in
            runs.withLock { $0 += 1 }
            return .complete(.integer(Int64(context.attempt)))
        }
        try await withEngine([handler], hooks: hooks) { engine in
            let task = try await engine.client.spawn("t", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 2)
            let rows = try await engine.rows(
                "select failure_reason->>'name' from absurd.r_default where attempt = 1")
            #expect(try rows[0].decode(0, as: String.self) == "Closed")
        }
        #expect(runs.withLock(\.self) == 1)
    }
}
