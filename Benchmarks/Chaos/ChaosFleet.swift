import BenchmarkSupport
import ChaosModel
import EphemeralPostgres
import Foundation

/// The worker processes of a round, each behind a proxy of its own.
final class ChaosFleet {
    let proxies: [Proxy]
    /// Processes that ended though nobody had killed them.
    private(set) var ownEnds = 0
    private let connectionStrings: [String]
    private let log: FileHandle
    /// Nil between a kill and the start of the next.
    private var workers: [WorkerProcess?]

    init(_ server: EphemeralPostgres, database: String, log: FileHandle) throws {
        self.log = log
        proxies = try (0..<Plan.workers).map { _ in try Proxy(server: server.port) }
        connectionStrings = proxies.map {
            "postgresql://\(EphemeralPostgres.user)@127.0.0.1:\($0.port)/\(database)"
        }
        workers = proxies.map { _ in nil }
    }

    /// Starts what is missing, and what has ended by itself.
    func fill() async throws {
        for index in workers.indices {
            if let worker = workers[index], !worker.isAlive {
                ownEnds += 1
                workers[index] = nil
            }
            if workers[index] == nil { try await start(index) }
        }
    }

    func start(_ index: Int) async throws {
        guard workers[index] == nil else { return }
        workers[index] = try await WorkerProcess.start(
            "chaos", queue: chaosQueue, on: connectionStrings[index], log: log)
    }

    func kill(_ index: Int) {
        workers[index]?.kill()
        workers[index] = nil
    }

    func pause(_ index: Int) { workers[index]?.pause() }
    func resume(_ index: Int) { workers[index]?.resume() }

    /// Asks all to stop, and says how many had not done so in time and were killed.
    func stop(within limit: Duration) async throws -> Int {
        let deadline = ContinuousClock.now + limit
        for worker in workers { try worker?.endInput() }
        while workers.contains(where: { $0?.isAlive == true }), .now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        let hanging = workers.count { $0?.isAlive == true }
        end()
        return hanging
    }

    /// Leaves nothing behind.
    func end() {
        for index in workers.indices { kill(index) }
        for proxy in proxies { proxy.close() }
    }
}
