import Absurd
import LibPQ
import TestSupport
import Testing

/// A few tasks through PgBouncer in transaction mode; `make test-pooler` runs all tests of workers through it.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct PoolerTests {
    @Test func `tasks with steps, sleeps, events, children and retries complete through a pooler`()
        async throws
    {
        let pooled = try await TestDatabase.current.throughPooler()
        let options = testOptions { $0.workers = 2 }
        try await withEngine([parent, child], options: options, configuration: { $0.usePooler(pooled) }) {
            engine in
            let tasks = try await engine.client.spawnMany(
                (0..<20).map { _ in
                    try SpawnRequest("parent", params: nil, options: SpawnOptions(retry: .fixed(.zero)))
                })
            try await engine.client.emitEvent("go", 1)
            for task in tasks {
                #expect(try await task.result(timeout: .seconds(60)) == .array([.integer(7), .integer(8)]))
            }
            // Through the pooler, that is: it tells its clients process ids of its own making.
            let isPooled = try await engine.client.pool.withConnection { connection in
                let rows = try await connection.query("select pg_backend_pid() as id")
                return try connection.backendPID != rows[0].decode("id", as: Int32.self)
            }
            #expect(isPooled)
        }
    }

    private let child = Handler("child") { context in
        if context.attempt == 1 { throw TaskFailure("again", retry: .after(.zero)) }
        return .complete(.integer(8))
    }

    private let parent = Handler("parent") { context in
        let seven = try await context.step("seven") { 7 }
        try await context.sleep(for: .milliseconds(20))
        try await context.awaitEvent("go")
        try await context.heartbeat()
        let child = try await context.spawn("child", params: nil)
        let eight = try await context.result(of: child)
        return .complete(.array([.integer(Int64(seven)), eight]))
    }
}
