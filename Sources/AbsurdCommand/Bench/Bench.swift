import Absurd
import Foundation
import LibPQ
import Synchronization

struct BenchSettings: Sendable {
    var count: Int
    var concurrency: Int
    var workers: Int
    var connections: Int
    var duration: Duration
}

/// One measurement: its queue, and what all scenarios need.
struct Bench: Sendable {
    let client: AbsurdClient
    let configuration: AbsurdConfiguration
    let scenario: BenchScenario
    let settings: BenchSettings
    let queue: String
    /// How many runs the pool has completed, as its events say.
    let completions = Completions()

    init(
        client: AbsurdClient, configuration: AbsurdConfiguration, scenario: BenchScenario,
        settings: BenchSettings
    ) async throws {
        self.client = client
        self.configuration = configuration
        self.scenario = scenario
        self.settings = settings
        queue = "bench_\(scenario.rawValue)_\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
        try await client.createQueue(queue)
    }

    func cleanUp() async throws { try await client.dropQueue(queue) }

    func makePool(_ handlers: [Handler]) throws -> WorkerPool {
        var options = WorkerOptions()
        options.workers = settings.workers
        options.concurrency = settings.concurrency
        options.claimTimeout = .seconds(120)
        options.shutdownGrace = .zero
        return try WorkerPool(client, queue: queue, handlers: handlers, options: options)
    }

    /// Runs the pool while `body` does, with a subscriber to its events, as a service would have.
    func running<Result: Sendable>(
        _ pool: WorkerPool, _ body: @Sendable @escaping () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            let events = pool.events(bufferSize: 1_000_000)
            group.addTask {
                try await pool.run()
                return nil
            }
            group.addTask {
                for await event in events {
                    if case .completed = event.kind { completions.count.add(1, ordering: .relaxed) }
                }
                return nil
            }
            group.addTask { try await body() }
            while let result = try await group.next() {
                guard let result else { continue }
                group.cancelAll()
                return result
            }
            throw CancellationError()
        }
    }

    func rows(_ sql: String, _ parameters: [SQLParameter] = []) async throws -> SQLRows {
        try await client.query(sql, parameters, queue: queue)
    }

    func value<Value: SQLDecodable>(_ sql: String, as type: Value.Type = Value.self) async throws -> Value {
        guard let row = try await rows(sql).first else { throw SpawnStatement.wrongAnswer }
        return try row.decode(0)
    }

    /// A table of the queue as it is written in statements.
    func table(_ prefix: String) -> String { "absurd.\"\(prefix)_\(queue)\"" }

    /// Waits until so many tasks of the queue have completed; returns the database's time of the last completion.
    ///
    /// Asks the events and not the database, which is to have nothing else to do.
    func waitForCompletion(of count: Int) async throws -> PostgresTimestamp {
        while completions.count.load(ordering: .relaxed) < count {
            try await Task.sleep(for: .milliseconds(10))
        }
        let rows = try await rows(
            "select count(*) as count, max(completed_at) as last from \(table("r")) where state = 'completed'"
        )
        guard try rows[0].decode("count", as: Int.self) == count else {
            throw AbsurdError(.database, "not all tasks of the measurement have completed")
        }
        return try rows[0].decode("last")
    }

    func now() async throws -> PostgresTimestamp { try await value("select clock_timestamp()") }

    /// Spawns tasks of one name without being measured.
    func prepare(_ taskName: String, _ count: Int) async throws {
        let request = try SpawnRequest(taskName, params: ["number": 1], on: queue)
        var left = count
        while left > 0 {
            _ = try await client.spawnMany(Array(repeating: request, count: min(left, 2000)))
            left -= 2000
        }
        _ = try await rows("analyze \(table("r")), \(table("t"))")
    }

    func figure(
        _ count: Int, _ seconds: Double, unit: String, _ usage: ProcessUsage,
        percentiles: [String: Double]? = nil, measured: [String: Double]? = nil
    ) -> BenchFigure {
        BenchFigure(
            scenario: scenario.rawValue, count: count, seconds: seconds,
            rate: seconds > 0 ? Double(count) / seconds : 0, unit: unit,
            settings: [
                "concurrency": settings.concurrency, "workers": settings.workers,
                "connections": settings.connections,
            ], percentilesMs: percentiles, measured: measured, cpuSeconds: usage.cpuSeconds,
            residentMb: ProcessUsage.peakMegabytes)
    }
}

final class Completions: Sendable {
    let count = Atomic<Int>(0)
}

/// The CPU time of this process since the value was made.
struct ProcessUsage: Sendable {
    private let start = Self.seconds()

    var cpuSeconds: Double { Self.seconds() - start }

    /// `RUSAGE_SELF`, which is of another type on each system.
    private static let thisProcess: Int32 = 0

    private static func seconds() -> Double {
        var usage = rusage()
        getrusage(Self.thisProcess, &usage)
        func value(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return value(usage.ru_utime) + value(usage.ru_stime)
    }

    /// Resident memory now; zero where the system does not say.
    static var residentMegabytes: Double {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
        return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1e6
    }

    /// The most that was resident since the process began; zero where the system does not say.
    static var peakMegabytes: Double {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") })
        else { return 0 }
        let kilobytes = line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
        return kilobytes * 1024 / 1e6
    }
}
