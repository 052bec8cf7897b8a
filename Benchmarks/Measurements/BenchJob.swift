import BenchmarkSupport
import EphemeralPostgres
import Foundation

/// One program that measures one scenario and prints one line.
struct BenchJob {
    let system: String
    let scenario: String
    var arguments: [String] = []

    static let ours = "swift-absurd"

    /// Ours and theirs in turn, scenario by scenario, so that each is compared with its neighbour in time.
    static func all(withPeers: Bool) -> [BenchJob] {
        func own(_ scenario: String, _ arguments: String...) -> BenchJob {
            BenchJob(system: ours, scenario: scenario, arguments: arguments)
        }
        func peers(_ scenario: String, _ systems: String...) -> [BenchJob] {
            withPeers ? systems.map { BenchJob(system: $0, scenario: scenario) } : []
        }
        let drain = own("drain", "--concurrency", "2000")
        let (absurd, dbos, procrastinate, pgqueuer) = ("absurd-sdk", "dbos", "procrastinate", "pgqueuer")
        return [own("ceiling", "--count", "20000")]
            + [drain] + peers("drain", absurd, dbos, procrastinate, pgqueuer)
            // Single drains vary by a fifth: where a ratio is demanded, the medians of three count.
            + [drain] + peers("drain", absurd, pgqueuer) + [drain] + peers("drain", absurd, pgqueuer)
            + [own("steps", "--concurrency", "2000")] + peers("steps", absurd, dbos)
            + [own("spawn-batch")] + peers("spawn-batch", procrastinate, pgqueuer)
            + [own("spawn-batch")] + peers("spawn-batch", pgqueuer)
            + [own("spawn-batch")] + peers("spawn-batch", pgqueuer)
            + [own("spawn-one")] + peers("spawn-one", absurd, dbos, procrastinate, pgqueuer)
            + [own("spawn-one"), own("spawn-one")]
            + [own("pickup")] + peers("pickup", absurd, dbos, procrastinate, pgqueuer)
            + [own("resume")] + peers("resume", absurd, dbos)
            + [own("pickup-elsewhere"), own("resume-elsewhere"), own("pickup-cut")]
            + [own("fan-out")] + peers("fan-out", absurd, dbos)
            + [own("events")] + peers("events", absurd, dbos)
            + [own("sleepers")] + peers("sleepers", absurd, dbos, procrastinate, pgqueuer)
            + [own("held"), own("backlog"), own("idle")]
    }

    /// The line that the program printed.
    func run(on server: EphemeralPostgres, peers: String?) throws -> String {
        if system == Self.ours { return try runOurs(on: server) }
        guard let peers else { throw MeasurementError("no virtual environment for \(system)") }
        return try Self.output(
            of: peers + "/bin/python",
            ["Benchmarks/Peers/peers.py", system, scenario, "--url", server.connectionString])
    }

    private func runOurs(on server: EphemeralPostgres) throws -> String {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "absurd").path
        let name = "bench_\(scenario.map { $0 == "-" ? "_" : String($0) }.joined())"
        let psql = { (database: String, sql: String) in
            _ = try Self.output(
                of: "psql",
                ["-qX", "-d", server.connectionString(database: database), "-c", sql])
        }
        // Of one that failed before.
        try psql("postgres", "drop database if exists \(name) with (force)")
        try psql("postgres", "create database \(name)")
        try psql(name, "create extension pg_stat_statements")
        let url = server.connectionString(database: name)
        _ = try Self.output(of: program, ["migrate", "--database", url])
        let line = try Self.output(
            of: program, ["bench", scenario, "--json", "--database", url] + arguments)
        try psql("postgres", "drop database \(name)")
        return line
    }

    /// Runs a program to its end and returns the last line it printed; ends it after four minutes.
    private static func output(of program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["timeout", "-k", "5", "240", program] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw MeasurementError(
                "\(program) \(arguments.first ?? "") ended with \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
    }
}
