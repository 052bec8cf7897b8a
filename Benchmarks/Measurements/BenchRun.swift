import ArgumentParser
import BenchmarkSupport
import EphemeralPostgres
import Foundation

/// Runs this project and its peers side by side, on one private server in one run.
struct BenchRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures throughput, latency and idle cost of this project and its peers in one run.")

    @Option(help: "The folder of the peers' virtual environment; without it they are left out.")
    var peers: String?

    @Option(help: "The folder for results.jsonl, table.md and chart.svg.")
    var output = "bench-results"

    @Option(help: "Only scenarios whose name contains this.")
    var only: String?

    func run() async throws {
        let folder = URL(filePath: output)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var options = EphemeralPostgres.Options()
        options.isDurable = true
        options.maxConnections = 200
        options.configuration = [
            "shared_buffers = '1GB'", "max_wal_size = '4GB'",
            "shared_preload_libraries = 'pg_stat_statements'",
        ]
        let start = ContinuousClock.now
        var lines: [String] = []
        try await EphemeralPostgres.withServer(options) { server in
            for job in BenchJob.all(withPeers: peers != nil) where only.map(job.scenario.contains) ?? true {
                progress("\(job.system) \(job.scenario)")
                do {
                    lines.append(try job.run(on: server, peers: peers))
                } catch {
                    // One that fails must not take the others' figures along.
                    progress("  failed: \(error)")
                }
            }
        }
        let results = try lines.map { try BenchResult(json: $0) }.medians
        let table = BenchTable(results: results).text + "\n" + BenchBars(results).text
        progress("took \(Int((ContinuousClock.now - start).seconds)) s")
        print(table)
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(
            to: folder.appending(path: "results.jsonl"))
        try Data(table.utf8).write(to: folder.appending(path: "table.md"))
        try Data(BenchChart(results: results).svg.utf8).write(to: folder.appending(path: "chart.svg"))
    }
}
