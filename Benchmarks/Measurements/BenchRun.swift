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
        var results: [BenchResult] = []
        let lines = try LineFile(folder.appending(path: "results.jsonl"))
        try await EphemeralPostgres.withServer(options) { server in
            for job in BenchJob.all(withPeers: peers != nil) where only.map(job.scenario.contains) ?? true {
                progress("\(job.system) \(job.scenario)")
                do {
                    let line = try job.run(on: server, peers: peers)
                    results.append(try BenchResult(json: line))
                    try lines.append(line)
                } catch {
                    // One that fails must not take the others' figures along.
                    progress("  failed: \(error)")
                }
            }
        }
        progress("took \(Int((ContinuousClock.now - start).seconds)) s")
        try publish(results.medians, in: folder)
    }

    /// - Throws: `ExitCode` when something is not as demanded, or is missing in a whole run.
    private func publish(_ results: [BenchResult], in folder: URL) throws {
        let bars = BenchBars(results)
        let isWhole = only == nil && peers != nil
        let table = BenchTable(results: results).text + "\n" + bars.text(isWhole: isWhole)
        print(table)
        try Data(table.utf8).write(to: folder.appending(path: "table.md"))
        try Data(BenchChart(results: results).svg.utf8).write(to: folder.appending(path: "chart.svg"))
        guard bars.areMet, bars.areComplete || !isWhole else { throw ExitCode.failure }
    }
}

/// A file that lines are added to as they come, so that a run that is broken off leaves what it had.
private struct LineFile {
    private let handle: FileHandle

    init(_ url: URL) throws {
        try Data().write(to: url)
        handle = try FileHandle(forWritingTo: url)
    }

    func append(_ line: String) throws { try handle.write(contentsOf: Data((line + "\n").utf8)) }
}
