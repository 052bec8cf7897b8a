import Absurd
import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct ResultWatchTests {
    private let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }

    @Test func `many callers wait for results with few statements, and each gets its own`() async throws {
        let point = HoldPoint()
        let held = Handler("held") { context in
            await point.arriveAndWait()
            return .complete(try context.params(as: JSONValue.self))
        }
        try await withEngine([held], options: testOptions { $0.concurrency = 500 }) { engine in
            let count = 300
            let tasks = try await engine.client.spawnMany(
                (0..<count).map { try SpawnRequest("held", params: .integer(Int64($0))) })
            try await withThrowingTaskGroup(of: (Int, JSONValue).self) { group in
                defer { point.open() }
                for (index, task) in tasks.enumerated() { group.addTask { (index, try await task.result()) } }
                try await eventually("all are registered") {
                    let rows = try await engine.rows("select count(*) from absurd_swift.result_listeners")
                    return try rows[0].decode(0, as: Int.self) == count
                }
                point.open()
                for try await (index, value) in group { #expect(value == .integer(Int64(index))) }
            }
            #expect(try await engine.rows("select 1 from absurd_swift.result_listeners").isEmpty)
        }
    }

    @Test func `a caller that gives up is answered at once and the task goes on`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let task = try await client.spawn("nobody's", params: nil)
        let error = await #expect(throws: AbsurdError.self) {
            try await task.result(timeout: .milliseconds(20))
        }
        #expect(error?.code == .timedOut)
        // The state is added if a look has been answered by then.
        #expect(error?.message.hasPrefix("task \(task.taskID) has not ended in time") == true)
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask {
                do {
                    _ = try await task.result()
                    return nil
                } catch {
                    return error
                }
            }
            group.cancelAll()
            for await error in group { #expect(error is CancellationError) }
        }
        #expect(try await task.snapshot()?.state == .pending)
        await client.close()
    }

    @Test func `a task that is not there, and a queue that is not, are reported by name`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let nobody = try #require(TaskID("019a0000-0000-7000-8000-000000000000"))
        await #expect(throws: AbsurdError.self) { try await client.awaitTask(nobody) }
        let error = await #expect(throws: AbsurdError.self) { try await client.awaitTask(nobody, on: "none") }
        #expect(error?.code == .queueMissing)
        await client.close()
    }

    @Test func `the end of a task by another SDK's function is found by the fallback`() async throws {
        let client = try makeClient { $0.fallbackInterval = .milliseconds(50) }
        try await client.createQueue("default")
        let task = try await client.spawn("theirs", params: nil)
        async let outcome = client.awaitTask(task.taskID)
        // Claims pass over a task while a look locks it.
        try await eventually("it is claimed and completed") {
            let rows = try await client.pool.query(
                """
                select absurd.complete_run('default', c.run_id, '1') from absurd.claim_task('default', 'w', 30, 1) c
                """)
            return !rows.isEmpty
        }
        #expect(try await outcome.result == 1)
        await client.close()
    }
}
