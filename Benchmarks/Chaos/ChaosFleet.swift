import BenchmarkSupport
import ChaosModel
import EphemeralPostgres
import Foundation

/// The worker processes of a round, each behind a proxy of its own.
final class ChaosFleet {
    let proxies: [Proxy]
    /// The ends of processes that ended though nobody had killed them or asked them to.
    private(set) var ownEnds: [String] = []
    private let connectionStrings: [String]
    private let log: FileHandle
    /// Nil between a kill and the start of the next.
    private var workers: [WorkerProcess?]
    /// Those that were asked to stop in the middle of the round, which others have replaced.
    private var drained: [(index: Int, process: WorkerProcess, askedAt: ContinuousClock.Instant)] = []
    /// Those of them that took longer than they may.
    private var late: [Int32: String] = [:]
    /// How long a worker may take to stop.
    private static let stopping = Duration.seconds(20)

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
        noteLate()
        for index in workers.indices {
            if noteEnd(index) { workers[index] = nil }
            if workers[index] == nil { try await start(index) }
        }
    }

    /// Whether a process has ended by itself, which is noted.
    private func noteEnd(_ index: Int) -> Bool {
        guard let worker = workers[index], let end = worker.end else { return false }
        ownEnds.append("worker \(index), process \(worker.processID): \(end)")
        return true
    }

    func start(_ index: Int) async throws {
        guard workers[index] == nil else { return }
        workers[index] = try await WorkerProcess.start(
            "chaos", queue: chaosQueue, on: connectionStrings[index], log: log)
    }

    func kill(_ index: Int) {
        if !noteEnd(index) { workers[index]?.kill() }
        workers[index] = nil
    }

    func drain(_ index: Int) throws {
        defer { workers[index] = nil }
        guard !noteEnd(index), let worker = workers[index] else { return }
        worker.resume()
        drained.append((index, worker, .now))
        try worker.endInput()
    }

    private func noteLate() {
        for (index, worker, askedAt) in drained where worker.isAlive && .now - askedAt > Self.stopping {
            late[worker.processID] = "worker \(index), process \(worker.processID), had not stopped in time"
        }
    }

    func pause(_ index: Int) { workers[index]?.pause() }
    func resume(_ index: Int) { workers[index]?.resume() }

    /// Asks all to stop, and says of which that did not come to a clean end in time.
    func stop() async throws -> [String] {
        let deadline = ContinuousClock.now + Self.stopping
        for index in workers.indices where noteEnd(index) { workers[index] = nil }
        for worker in workers { try worker?.endInput() }
        let asked =
            drained.map { ($0.index, $0.process) }
            + workers.enumerated().compactMap { index, worker in worker.map { (index, $0) } }
        while asked.contains(where: { $0.1.isAlive }), .now < deadline {
            noteLate()
            try await Task.sleep(for: .milliseconds(20))
        }
        defer { end() }
        return Array(late.values)
            + asked.compactMap { index, worker in
                guard let end = worker.end else {
                    return "worker \(index) had not stopped after \(Self.stopping)"
                }
                return end.isClean ? nil : "worker \(index), process \(worker.processID): \(end)"
            }
    }

    /// Leaves nothing behind.
    func end() {
        for index in workers.indices {
            workers[index]?.kill()
            workers[index] = nil
        }
        for (_, worker, _) in drained where worker.isAlive { worker.kill() }
        drained = []
        for proxy in proxies { proxy.close() }
    }
}
