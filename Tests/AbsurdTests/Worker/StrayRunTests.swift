import Absurd
import LibPQ
import TestSupport
import Testing

/// Runs of claims whose answers were lost come back at once, and spend no attempt.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct StrayRunTests {
    /// The claim timeout is far beyond the test's end, so nothing but the worker itself can free the run.
    private var options: WorkerOptions { testOptions { $0.claimTimeout = .seconds(3600) } }

    @Test(arguments: [LosingStore.Moment.after, .late])
    func `a task with one attempt survives the loss of its claim's answer`(
        _ moment: LosingStore.Moment
    ) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let tasks = try await client.spawnMany(
            (0..<3).map { _ in try SpawnRequest("once", params: nil, options: SpawnOptions(maxAttempts: 1)) })
        let store = LosingStore(PostgresRunStore(pool: client.pool), moment)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [Handler("once") { .complete(.integer(Int64($0.attempt))) }],
            options: options, store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            for task in tasks {
                let result = try await task.result(timeout: .seconds(60))
                #expect(result == 1)
            }
            group.cancelAll()
        }
        #expect(store.losses["claim"] == 1)
        if moment == .late { #expect(store.lateRunCount > 0) }
        let rows = try await client.pool.query("select state, attempt from absurd.r_default")
        #expect(try rows.map { try $0.decode("attempt", as: Int32.self) } == [1, 1, 1])
        await client.close()
    }

    @Test func `a worker without room looks for strays too, and leaves what it holds alone`() async throws {
        let point = HoldPoint()
        let client = try makeClient()
        try await client.createQueue("default")
        let held = try await client.spawn("held", params: nil)
        let store = LosingStore(PostgresRunStore(pool: client.pool), .late)
        let handler = Handler("held") { context in
            await point.arriveAndWait()
            return .complete(.integer(Int64(context.attempt)))
        }
        var options = self.options
        options.concurrency = 1
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: options, store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { point.open() }
            group.addTask { try await pool.run() }
            await point.untilArrived()
            // Held under the worker's id, as by a claim that was committed unheard; the only slot is taken.
            let stray = try await client.spawn("held", params: nil)
            _ = try await PostgresRunStore(pool: client.pool).claim(
                ClaimRequest(
                    holder: ClaimHolder(queue: "default", worker: pool.workers[0].id), timeout: 3600, limit: 1
                ))
            try await eventually("the stray is given back") {
                try await client.pool.query(
                    "select 1 from absurd.r_default where task_id = $1 and state = 'pending'",
                    [.uuid(stray.taskID.uuid)]
                ).count == 1
            }
            point.open()
            #expect(try await held.result(timeout: .seconds(60)) == 1)
            #expect(try await stray.result(timeout: .seconds(60)) == 1)
            group.cancelAll()
        }
        await client.close()
    }
}
