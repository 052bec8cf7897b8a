import Absurd
import LibPQ
import TestSupport
import Testing

/// A transaction of many spawns whose connection is lost: it is sent again, and each task is there once.
@Suite(.timeLimit(.minutes(10)))
struct CutSpawnManyTests {
    @Test(arguments: Moment.allCases)
    func `each task of a call is there once, and each handle is that of its request`(_ moment: Moment)
        async throws
    {
        try await CuttingScene.with { scene in
            // A single task has a statement of its own kind, which is also the last of the three that 4,001 need.
            for count in [1, 5, 4001] {
                let queue = "many_\(count)"
                try await scene.client.createQueue(queue)
                // So that the transaction is lost in its last statement, with all others behind it.
                try await scene.guardTables(["t"], of: queue, when: "new.task_name = 'last'")
                let tasks = try await spawn(count, on: queue, moment, in: scene)
                #expect(tasks.count == count)
                #expect(tasks.allSatisfy { $0.wasCreated && $0.attempt == 1 && $0.queue == queue })
                try await expectOnce(tasks, on: queue, in: scene)
            }
        }
    }

    private func spawn(
        _ count: Int, on queue: String, _ moment: Moment, in scene: CuttingScene
    ) async throws -> [TaskHandle<JSONValue>] {
        let requests = try (0..<count).map { number in
            try SpawnRequest(
                number == count - 1 ? "last" : "task", params: .integer(Int64(number)), on: queue)
        }
        return try await withThrowingTaskGroup(of: [TaskHandle<JSONValue>].self) { group in
            try await scene.cut(moment, query: moment == .beforeCommit ? "absurd_swift.spawn" : "commit") {
                group.addTask { try await scene.client.spawnMany(requests) }
            }
            return try await group.next() ?? []
        }
    }

    /// The queue has these tasks and runs and no others, in the order of their numbers.
    private func expectOnce(
        _ tasks: [TaskHandle<JSONValue>], on queue: String, in scene: CuttingScene
    ) async throws {
        let rows = try await scene.client.pool.query(
            """
            select t.params::text::integer as number, t.task_id, r.run_id
              from absurd.t_\(queue) t full join absurd.r_\(queue) r using (task_id) order by 1
            """)
        let numbers = try rows.map { Int(try $0.decode("number", as: Int32.self)) }
        #expect(numbers == Array(tasks.indices))
        #expect(try rows.map { TaskID(try $0.decode("task_id")) } == tasks.map(\.taskID))
        #expect(try rows.map { RunID(try $0.decode("run_id")) } == tasks.map(\.runID))
    }
}
