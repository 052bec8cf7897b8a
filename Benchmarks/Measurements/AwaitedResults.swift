import Absurd
import ArgumentParser
import BenchmarkSupport
import LibPQ

/// How many statements it takes that many callers wait for results.
struct AwaitedResults: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "results", abstract: "Counts the statements of many callers that await results.")

    @Option(help: "Callers, each of which awaits a task of its own.")
    var callers = 1000

    @Option(help: "Seconds that they wait.")
    var seconds = 60

    @Option(help: "Statements in that time at most.")
    var bound = 60

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let settings = [
            "shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track_utility = on",
        ]
        let figures = try await PrivateDatabase.with(settings) { database in
            try await database.execute("create extension pg_stat_statements")
            try await database.client.createQueue("awaited")
            let request = try SpawnRequest("empty", params: ["number": 1], on: "awaited")
            let tasks = try await database.client.spawnMany(Array(repeating: request, count: callers))
            return try await withThrowingTaskGroup(of: Void.self) { group in
                for task in tasks { group.addTask { _ = try await task.result() } }
                // Until all have asked once.
                try await Task.sleep(for: .seconds(3))
                let before = try await statements(database)
                try await Task.sleep(for: .seconds(seconds))
                let count = try await statements(database) - before - 1
                let worker = try await WorkerProcess.start("empty", queue: "awaited", database)
                let start = ContinuousClock.now
                try await group.waitForAll()
                let time = ContinuousClock.now - start
                try await worker.stop()
                return verdict(count, time)
            }
        }
        try figures.publish(report)
    }

    private func statements(_ database: PrivateDatabase) async throws -> Int {
        try await database.value("select coalesce(sum(calls), 0)::bigint from pg_stat_statements")
    }

    private func verdict(_ count: Int, _ time: Duration) -> Report {
        var report = Report(measurement: "\(callers) callers that await results for \(seconds) s")
        report.add("statements", count)
        report.add("from the worker's start to the last answer", time.seconds, "s")
        report.promise("at most \(bound) statements", count <= bound)
        return report
    }
}
