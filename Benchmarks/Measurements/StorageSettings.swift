import Absurd
import ArgumentParser
import BenchmarkSupport
import LibPQ

/// What the storage parameters of a queue's tables change.
struct StorageSettings: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage", abstract: "Drains queues whose tables have other storage parameters.")

    @Option(help: "Tasks of each drain.")
    var tasks = 60_000

    @Option(help: "Drains with each setting, in turn.")
    var rounds = 3

    @OptionGroup var report: ReportOptions

    /// Each for the table of tasks, then for that of runs; nil for what the schema says.
    private static let variants: [(name: String, tasks: String?, runs: String?)] = [
        ("as made", nil, nil),
        ("both full", "fillfactor = 100", "fillfactor = 100"),
        ("tasks 70", "fillfactor = 70", nil),
        ("both half full", "fillfactor = 50", "fillfactor = 50"),
        ("runs full", nil, "fillfactor = 100"),
        (
            "vacuumed early", "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0",
            "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"
        ),
    ]

    func run() async throws {
        let figures = try await PrivateDatabase.with(["autovacuum_naptime = '2s'"]) { database in
            var rates: [String: [Double]] = [:]
            var sizes: [String: [Double]] = [:]
            for round in 0..<rounds {
                for (number, variant) in Self.variants.enumerated() {
                    let queue = "q_\(round)_\(number)"
                    let draining = try await Draining(database, queue: queue)
                    for (table, setting) in [("t", variant.tasks), ("r", variant.runs)] {
                        if let setting {
                            try await database.execute(
                                "alter table absurd.\(table)_\(queue) set (\(setting))")
                        }
                    }
                    let rate = try await draining.rate(of: tasks, processes: 1)
                    let size: Double = try await database.value(
                        "select (pg_total_relation_size('absurd.t_\(queue)') + pg_total_relation_size('absurd.r_\(queue)'))::float8 / 1e6"
                    )
                    progress("\(variant.name): \(Int(rate)) tasks a second, \(Int(size)) MB")
                    rates[variant.name, default: []].append(rate)
                    sizes[variant.name, default: []].append(size)
                    try await database.client.dropQueue(queue)
                }
            }
            var report = Report(measurement: "\(tasks) empty tasks drained, by storage parameters")
            for variant in Self.variants {
                report.add(variant.name, rates[variant.name]?.median ?? .nan, "tasks/s")
                report.add("\(variant.name), size", sizes[variant.name]?.median ?? .nan, "MB")
            }
            return report
        }
        try figures.publish(report)
    }
}
