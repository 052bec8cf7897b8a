import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// A statement that spawns or emits and claims, whose connection is lost: the task is there once and is executed once,
/// although its claim would last for hours.
@Suite(.timeLimit(.minutes(10)))
struct CutClaimBesideTests {
    @Test(arguments: Moment.allCases)
    func `a task is executed once`(_ moment: Moment) async throws {
        let attempts = Mutex<[Int]>([])
        let handler = Handler("task") { context in
            attempts.withLock { $0.append(context.attempt) }
            return .complete(1)
        }
        try await withIdleWorker([handler]) { scene in
            try await scene.guardTables(["t"], of: "default")
            let spawned = try await cut(moment, "start", in: scene) {
                try await scene.client.spawn("task", params: nil)
            }
            #expect(spawned.wasCreated)
            #expect(try await spawned.result(timeout: .seconds(60)) == 1)
            #expect(attempts.withLock(\.self) == [1])
            #expect(try await scene.count("absurd.r_default") == 1)
        }
    }

    @Test(arguments: Moment.allCases)
    func `a run that waited goes on once`(_ moment: Moment) async throws {
        let resumed = Mutex(0)
        let handler = Handler("task") { context in
            let payload: Int = try await context.awaitEvent("go")
            resumed.withLock { $0 += 1 }
            return .complete(.integer(Int64(payload)))
        }
        try await withIdleWorker([handler]) { scene in
            let task = try await scene.client.spawn("task", params: nil)
            try await eventually("it waits") { try await scene.count("absurd.w_default") == 1 }
            // Parking has notified; what that woke is idle again when the watch has looked since.
            let parked = ContinuousClock.now
            let watch = scene.client.wakeUps.watched("default").watch
            try await eventually("the watch has looked") { watch.isArmed && watch.lastTurn > parked }
            try await idle(scene.client)
            try await scene.guardTables(["e"], of: "default")
            try await cut(moment, "raise", in: scene) { try await scene.client.emitEvent("go", 3) }
            #expect(try await task.result(timeout: .seconds(60)) == 3)
            #expect(resumed.withLock(\.self) == 1)
        }
    }

    private func withIdleWorker(
        _ handlers: [Handler], _ body: (CuttingScene) async throws -> Void
    ) async throws {
        try await CuttingScene.with { scene in
            try await scene.client.createQueue("default")
            let pool = try WorkerPool(
                scene.client, handlers: handlers, options: testOptions { $0.claimTimeout = .hours(2) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await idle(scene.client)
                try await body(scene)
                group.cancelAll()
            }
        }
    }

    private func idle(_ client: AbsurdClient) async throws {
        try await eventually("the worker is idle") {
            client.wakeUps.watched("default").watch.idleCount == 1
        }
    }

    private func cut<Value: Sendable>(
        _ moment: Moment, _ kind: String, in scene: CuttingScene,
        _ call: @Sendable @escaping () async throws -> Value
    ) async throws -> Value {
        try await scene.raise("cut")
        async let value = call()
        let query = "absurd_swift.\"\(kind):default\""
        let session = try await scene.statement(waitingFor: "PgSleep", query: query)
        switch moment {
        case .beforeCommit:
            try await scene.terminate(session)
            try await scene.lower("cut")
        case .withinCommit:
            try await scene.cut(moment, query: query) { try await scene.lower("cut") }
        case .afterCommit:
            try await scene.loseAnswer(of: session) { try await scene.lower("cut") }
        }
        return try await value
    }
}
