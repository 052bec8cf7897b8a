import Absurd
import Synchronization
import TestSupport

/// A client of the test's database, closed afterwards.
func withClient(hooks: Hooks = Hooks(), _ body: (AbsurdClient) async throws -> Void) async throws {
    var configuration = AbsurdConfiguration(TestDatabase.current.connectionString)
    configuration.maxConnections = 6
    let client = try AbsurdClient(configuration, hooks: hooks, logger: .quiet)
    do {
        try await body(client)
    } catch {
        await client.close()
        throw error
    }
    await client.close()
}

/// Runs a pool beside `body` and stops it afterwards; what it still executes then is given back.
func withWorker(
    _ client: AbsurdClient, queue: String, handlers: [Handler],
    options change: (inout WorkerOptions) -> Void = { _ in },
    _ body: @Sendable @escaping (WorkerPool) async throws -> Void
) async throws {
    var options = WorkerOptions()
    options.pollInterval = .milliseconds(10)
    options.shutdownGrace = .zero
    change(&options)
    let pool = try WorkerPool(client, queue: queue, handlers: handlers, options: options)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await pool.run() }
        group.addTask { try await body(pool) }
        // The pool goes on until it is cancelled, so the first to end is the body, or a pool that failed.
        try await group.next()
        group.cancelAll()
    }
}

/// The bodies of steps that ran in this process.
final class Executions: Sendable {
    private let names = Mutex<[String]>([])

    func note(_ name: String) {
        names.withLock { $0.append(name) }
    }

    func take() -> [String] {
        names.withLock { names in
            defer { names = [] }
            return names
        }
    }
}
