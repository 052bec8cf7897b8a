import Absurd
import ArgumentParser
import BenchmarkSupport
import Foundation
import LibPQ

/// Stops a worker process with SIGTERM at random instants, again and again, with more work than it has slots.
///
/// Among its handlers are some that write all the time, some that wait, some that ignore their cancellation and some that
/// compute without a pause, at times more of them than there are threads.
struct Shutdown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops worker processes under load and checks exit status, times, attempts and rows.")

    /// What the workload of the same name has.
    static let grace = 0.3
    static let cancellationGrace = 0.5

    @Option(help: "How many worker processes are stopped, one after the other.")
    var runs = 200

    @OptionGroup var report: ReportOptions

    func run() async throws {
        try await PrivateDatabase.with { database in
            try await database.execute("create table returned (task_id uuid, step text)")
            try await database.execute("create table executing (task_id uuid)")
            var stops: [Stop] = []
            for number in 1...runs {
                stops.append(try await stop(number, database))
                if number.isMultiple(of: 20) { progress("\(number) workers stopped") }
            }
            try verdict(stops).publish(report)
        }
    }

    private func stop(_ number: Int, _ database: PrivateDatabase) async throws -> Stop {
        let queue = "shutdown_\(number)"
        try await database.client.createQueue(queue)
        var stop = Stop()
        try await spawn(ignoring: .random(in: 0...3), computing: .random(in: 0...3), queue, database)
        let worker = try await WorkerProcess.start("shutdown", queue: queue, database)
        try await Task.sleep(for: .milliseconds(.random(in: 0...700)))
        stop.held = try await held(by: worker, queue, database)
        stop.ignoring = try await executing("ignores", queue, database)
        stop.computing = try await executing("computes", queue, database)
        let start = ContinuousClock.now
        worker.terminate()
        while try await held(by: worker, queue, database) > 0, worker.isAlive {
            try await Task.sleep(for: .milliseconds(5))
        }
        stop.timeUntilFree = (ContinuousClock.now - start).seconds
        stop.status = await worker.exit()
        stop.timeUntilExit = (ContinuousClock.now - start).seconds
        try await look(&stop, queue, database)
        try await database.client.dropQueue(queue)
        return stop
    }

    private func spawn(
        ignoring: Int, computing: Int, _ queue: String, _ database: PrivateDatabase
    ) async throws {
        let names =
            Array(repeating: "ignores", count: ignoring)
            + Array(repeating: "computes", count: computing)
            + Array(repeating: "waits", count: 2) + Array(repeating: "writes", count: 40)
        // Some come to the threads before the writing ones, some between them.
        for name in names.shuffled() { _ = try await database.client.spawn(name, params: nil, on: queue) }
    }

    /// How many handlers of tasks of this name have said that they execute.
    private func executing(_ name: String, _ queue: String, _ database: PrivateDatabase) async throws -> Int {
        try await database.value(
            "select count(*) from executing join absurd.t_\(queue) using (task_id) where task_name = $1",
            [.text(name)])
    }

    private func held(by worker: WorkerProcess, _ queue: String, _ database: PrivateDatabase) async throws
        -> Int
    {
        try await database.value(
            "select count(*) from absurd.r_\(queue) where state = 'running' and claimed_by = $1",
            [.text(worker.workerID)])
    }

    private func look(_ stop: inout Stop, _ queue: String, _ database: PrivateDatabase) async throws {
        stop.unclaimable = try await database.value(
            """
            select count(*) from absurd.r_\(queue)
             where not (state = 'completed' or state = 'pending' and available_at <= clock_timestamp())
            """)
        stop.attemptsSpent = try await database.value(
            """
            select count(*) from absurd.t_\(queue) as t join absurd.r_\(queue) as r using (task_id)
             where r.attempt <> 1 or t.state = 'failed'
            """)
        stop.stepsForgotten = try await database.value(
            """
            select count(*) from returned as x where not exists (
              select from absurd.c_\(queue) as c where c.task_id = x.task_id and c.checkpoint_name = x.step)
            """)
        stop.steps = try await database.value("select count(*) from absurd.c_\(queue)")
        try await database.execute("truncate returned, executing")
    }
}

/// What came of one worker process that was stopped.
struct Stop {
    /// Handlers that executed when it got the signal.
    var ignoring = 0
    var computing = 0
    /// Runs that it held when it got the signal.
    var held = 0
    /// Seconds from the signal.
    var timeUntilFree = 0.0
    var timeUntilExit = 0.0
    var status: Int32 = 0
    var unclaimable = 0
    var attemptsSpent = 0
    var stepsForgotten = 0
    var steps = 0
}

extension Shutdown {
    private func verdict(_ stops: [Stop]) -> Report {
        var report = Report(
            measurement:
                "Shutdown: \(stops.count) worker processes of 16 slots, SIGTERM, grace of \(Self.grace) s")
        let waits = stops.map { max(0, $0.timeUntilFree - Self.grace) }
        let exits = stops.map(\.timeUntilExit)
        let good = stops.count {
            $0.status == 0 && $0.unclaimable == 0 && $0.attemptsSpent == 0 && $0.stepsForgotten == 0
                && $0.timeUntilFree - Self.grace <= 1
                && $0.timeUntilExit <= Self.grace + Self.cancellationGrace + 1
        }
        report.add("stops without fault", good)
        report.add("runs held at the signal", stops.map(\.held).reduce(0, +))
        report.add("steps recorded", stops.map(\.steps).reduce(0, +))
        report.add("stops with executing handlers that ignore it", stops.count { $0.ignoring > 0 })
        report.add("stops with executing handlers that compute", stops.count { $0.computing > 0 })
        report.add("stops with as many of those as threads, or more", stops.count { $0.computing >= 2 })
        report.add("claimable after the grace period, p50", waits.percentile(0.5), "s")
        report.add("claimable after the grace period, longest", waits.max() ?? .nan, "s")
        report.add("exit after the signal, p50", exits.percentile(0.5), "s")
        report.add("exit after the signal, longest", exits.max() ?? .nan, "s")
        report.promise("every process exits with status 0", stops.allSatisfy { $0.status == 0 })
        report.promise("runs are claimable within 1 s after the grace period", waits.allSatisfy { $0 <= 1 })
        report.promise(
            "each process ends within 1 s after both its periods",
            exits.allSatisfy { $0 <= Self.grace + Self.cancellationGrace + 1 })
        report.promise("every run is due or completed", stops.allSatisfy { $0.unclaimable == 0 })
        report.promise("no attempt is spent", stops.allSatisfy { $0.attemptsSpent == 0 })
        report.promise("every step that returned is recorded", stops.allSatisfy { $0.stepsForgotten == 0 })
        return report
    }
}
