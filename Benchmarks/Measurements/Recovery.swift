import Absurd
import ArgumentParser
import BenchmarkSupport
import Foundation
import LibPQ

/// Tasks of half a second on four busy worker processes, which are killed, stopped, or killed by tasks.
///
/// Claims last 120 seconds, so whatever runs again sooner does so because the registry missed its worker. Each
/// execution leaves a row when it starts.
struct Recovery: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Kills and stops worker processes under load and measures when their runs execute elsewhere.")

    static let queue = "recovery"

    @Option(help: "How often a worker process is killed with kill -9.")
    var kills = 12

    @Option(help: "How often a worker process is stopped with SIGSTOP, and continued later.")
    var stops = 6

    @Option(help: "How many tasks kill their process, on each of three attempts.")
    var deadly = 3

    @Option(help: "How many worker processes, of 16 slots each.")
    var workers = 4

    @Option(help: "Seconds after which the run is given up.")
    var limit = 400

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let deadline = ContinuousClock.now + .seconds(limit)
        try await PrivateDatabase.with { database in
            try await prepare(database)
            let fleet = try await Fleet(size: workers, workload: "recovery", queue: Self.queue, database)
            // More than there are slots, so that those whose runs wait to be given up do not idle the others.
            let load = Load(database, open: workers * 24)
            let (healthy, poisoned) = try await load.during {
                try await interruptWorkers(fleet, database, deadline)
                let healthy = try await throughput(database) { try await Task.sleep(for: .seconds(10)) }
                let poisoned = try await throughput(database) {
                    try await poison(fleet, database, deadline)
                }
                return (healthy, poisoned)
            }
            try await database.wait(
                for: "the end of all tasks", until: deadline,
                """
                select not exists (select from absurd.t_\(Self.queue) where state in ('pending', 'running', 'sleeping'))
                """)
            try await fleet.stop()
            try await verdict(database, healthy, poisoned).publish(report)
        }
    }

    private func prepare(_ database: PrivateDatabase) async throws {
        try await database.client.createQueue(Self.queue)
        try await database.execute(
            """
            create table executions (task_id uuid, attempt integer, worker text, at timestamptz);
            create index on executions (task_id, attempt);
            create table interrupted (worker text, kind text, at timestamptz);
            """)
    }

    private func interruptWorkers(
        _ fleet: Fleet, _ database: PrivateDatabase, _ deadline: ContinuousClock.Instant
    ) async throws {
        // Until everybody has been steady for long enough.
        try await Task.sleep(for: .seconds(5))
        for number in 1...(kills + stops) {
            let isKill = number * stops / (kills + stops) == (number - 1) * stops / (kills + stops)
            let worker = fleet.nextWorker()
            let id = try await currentID(of: worker, database)
            try await database.wait(
                for: "a busy worker", until: deadline,
                "select count(*) >= 8 from absurd.r_\(Self.queue) where state = 'running' and claimed_by = $1",
                [.text(id)])
            _ = try await database.client.pool.query(
                "insert into interrupted values ($1, $2, clock_timestamp())",
                [.text(id), .text(isKill ? "killed" : "stopped")])
            if isKill { worker.kill() } else { worker.pause() }
            try await database.wait(
                for: "the runs of a lost worker to be given up", until: deadline,
                """
                select not exists (
                  select from absurd.r_\(Self.queue) where state = 'running' and claimed_by = $1)
                """, [.text(id)])
            if !isKill {
                worker.resume()
                try await database.wait(
                    for: "a stopped worker to register anew", until: deadline,
                    "select count(*) = 1 from absurd_swift.workers where process_id = $1 and worker_id <> $2",
                    [.int(Int64(worker.processID)), .text(id)])
            }
            try await fleet.replaceDead()
            progress("\(number) workers interrupted")
            // The new one must have been steady, too, before it counts as an observer.
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func currentID(of worker: WorkerProcess, _ database: PrivateDatabase) async throws -> String {
        try await database.value(
            "select worker_id from absurd_swift.workers where process_id = $1 and lost_at is null",
            [.int(Int64(worker.processID))])
    }

    /// Spawns tasks that kill their process, and keeps as many processes alive as there were.
    private func poison(
        _ fleet: Fleet, _ database: PrivateDatabase, _ deadline: ContinuousClock.Instant
    ) async throws {
        for _ in 0..<deadly {
            _ = try await database.client.spawn(
                "deadly", params: nil, on: Self.queue, options: SpawnOptions(maxAttempts: 3))
        }
        while try await database.value(
            "select count(*) from absurd.t_\(Self.queue) where task_name = 'deadly' and state = 'failed'",
            as: Int.self) < deadly
        {
            guard .now < deadline else { throw MeasurementError("not in time: the end of deadly tasks") }
            try await fleet.replaceDead()
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Completed tasks a second while `body` runs.
    private func throughput(_ database: PrivateDatabase, _ body: () async throws -> Void) async throws
        -> Double
    {
        let count = "select count(*) from absurd.t_\(Self.queue) where state = 'completed'"
        let before = try await database.value(count, as: Int.self)
        let start = ContinuousClock.now
        try await body()
        let after = try await database.value(count, as: Int.self)
        return Double(after - before) / (ContinuousClock.now - start).seconds
    }
}
