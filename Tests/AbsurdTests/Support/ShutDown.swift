import Absurd
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit

/// Spawns one task, shuts the pool down when its handler has reached `point`, and returns the run's row.
func shutDown(
    _ handler: Handler, at point: HoldPoint, grace: Duration = .zero,
    whileStopping: @escaping @Sendable (AbsurdClient, TaskID) async throws -> Void = { _, _ in }
) async throws -> (state: String, attempt: Int32, claimedBy: String?) {
    let client = try makeClient()
    try await client.createQueue("default")
    let pool = try WorkerPool(client, handlers: [handler], options: testOptions { $0.shutdownGrace = grace })
    let task = try await client.spawn(handler.taskName, params: nil)
    try await testGracefulShutdown { trigger in
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            await point.untilArrived()
            trigger.triggerGracefulShutdown()
            try await whileStopping(client, task.taskID)
            try await group.waitForAll()
        }
    }
    let row = try await client.pool.query(
        "select state, attempt, claimed_by from absurd.r_default where task_id = $1",
        [.uuid(task.taskID.uuid)]
    )[0]
    await client.close()
    return (
        try row.decode("state"), try row.decode("attempt"), try row.decode("claimed_by", as: String?.self)
    )
}
