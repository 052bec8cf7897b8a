import Absurd
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// A worker whose handlers use the client, and then compute on all threads.
final class BusyScene: Sendable {
    let client: AbsurdClient
    let isDone = Atomic<Bool>(false)
    private let computing = Atomic<Int>(0)

    init(connections: Int) async throws {
        client = try makeClient { $0.maxConnections = connections }
        for queue in ["default", "other"] { try await client.createQueue(queue) }
    }

    /// Runs a pool until it has returned, which `body` asks for.
    func run(
        _ handler: Handler, times: Int = 1, renewal: WorkerOptions.Renewal = .onCheckpoint,
        claimTimeout: Duration = .seconds(600),
        _ body: @escaping @Sendable (GracefulShutdownTestTrigger) async throws -> Void
    ) async throws {
        let computes = Handler("computes") { _ in
            self.computing.add(1, ordering: .relaxed)
            while !self.isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let options = testOptions {
            $0.claimTimeout = claimTimeout
            $0.renewal = renewal
            $0.cancellationGrace = .milliseconds(10)
        }
        let pool = try WorkerPool(client, handlers: [handler, computes], options: options)
        for _ in 0..<times { _ = try await client.spawn(handler.taskName, params: nil) }
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await body(trigger)
                try await group.waitForAll()
            }
        }
    }

    func occupyAllThreads() async throws {
        let threads = HandlerThreads.shared.threadCount
        let other = try makeClient()
        for _ in 0..<threads { _ = try await other.spawn("computes", params: nil) }
        await other.close()
        try await eventually("all threads are taken") { self.computing.load(ordering: .relaxed) >= threads }
    }

    /// After the worker's end, while the handlers' threads are still taken.
    func heldRuns() async throws -> Int {
        let rows = try await TestDatabase.current.connect().query(
            "select count(*) from absurd.r_default where state = 'running'")
        return try rows[0].decode(0, as: Int.self)
    }
}
