import Absurd
import Foundation
import LibPQ
import Synchronization
import TestSupport
import Testing

/// What a handler that runs again does not do again.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ReplayTests {
    @Test func `a parent that died between the spawn of a child and its record gets the same child`()
        async throws
    {
        let parent = Handler("parent") { context in
            let child = try await context.spawn("child", params: nil, on: "children")
            return .complete(["child": .string("\(child.taskID)"), "isNew": .bool(child.wasCreated)])
        }
        let client = try makeClient()
        try await client.createQueue("default")
        // Whose tasks nobody executes.
        try await client.createQueue("children")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: .checkpoint)
        // One slot, so that it does not take its own run over.
        let dying = try WorkerPool(
            client, queue: "default", handlers: [parent], options: testOptions { $0.concurrency = 1 },
            store: store)
        let task = try await client.spawn("parent", params: nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { store.pause.open() }
            group.addTask { try await dying.run() }
            await store.pause.untilArrived()
            let spawned = try await client.pool.query("select task_id from absurd.t_children")
            let child = try #require(spawned.first).decode("task_id", as: UUID.self)
            // All that others see of a worker that died: no record, and a claim that runs out.
            #expect(try await client.pool.query("select 1 from absurd.c_default").isEmpty)
            _ = try await client.pool.query(
                "update absurd.r_default set claim_expires_at = now() - interval '1 second'")
            try await withEngine([parent]) { engine in
                let result = try await task.result(timeout: .seconds(60))
                #expect(result == ["child": .string("\(TaskID(child))"), "isNew": false])
                let attempt = try await engine.run("attempt", of: task.taskID, as: Int32.self)
                #expect(attempt == 2)
            }
            store.pause.open()
            group.cancelAll()
        }
        #expect(try await client.pool.query("select 1 from absurd.t_children").count == 1)
        await client.close()
    }

    @Test func `a run that goes on gets its checkpoints in one call, and records nothing twice`() async throws
    {
        let bodies = Mutex(0)
        let handler = Handler("long") { context in
            var values: [JSONValue] = []
            for _ in 1...5 {
                let value = try await context.step("count") {
                    bodies.withLock {
                        $0 += 1; return $0
                    }
                }
                values.append(.integer(Int64(value)))
            }
            try await context.awaitEvent("go")
            return .complete(.array(values))
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: nil)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: testOptions(), store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            let task = try await client.spawn("long", params: nil)
            try await eventually("the run is parked") {
                try await client.pool.query("select 1 from absurd.r_default where state = 'sleeping'").count
                    == 1
            }
            #expect(bodies.withLock(\.self) == 5)
            #expect(store.writes[.checkpoint] == 5)
            // A task that was never started has none.
            #expect(store.loads == 0)
            // By a program without a worker, whose emission claims nothing.
            let other = try makeClient()
            try await other.emitEvent("go")
            await other.close()
            #expect(try await task.result(timeout: .seconds(60)) == [1, 2, 3, 4, 5])
            #expect(bodies.withLock(\.self) == 5)
            #expect(store.writes[.checkpoint] == 5)
            #expect(store.loads == 1)
            group.cancelAll()
        }
        await client.close()
    }
}
