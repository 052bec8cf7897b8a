import Absurd
import ArgumentParser
import BenchmarkSupport
import EphemeralPostgres
import Foundation

/// Runs workloads while processes, the server and the network fail, and checks afterwards what was promised.
@main
struct Chaos: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks what swift-absurd promises under faults. Exit code 1 when a promise is broken.",
        discussion: """
            A seed decides the tasks and the faults, and their times; how processes interleave is up to the machine. So a \
            failing seed is run again with --seed, perhaps more than once.
            """)

    @Option(help: "How many seeds.")
    var seeds = 200

    @Option(help: "The first seed.")
    var first: UInt64 = 1

    @Option(help: "This seed only.")
    var seed: UInt64?

    @Option(help: "No round starts when it could last beyond so many minutes.")
    var minutes: Double?

    @Option(help: "Seconds that the last task may take to end after the last fault has.")
    var bound = 60

    @Option(
        help:
            "A folder for the server's data and the workers' logs, which are kept. The databases are called seed_N."
    )
    var keep: String?

    @Option(help: "A file of SQL that breaks the engine before each round, to see that the checks notice.")
    var sabotage: String?

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let start = ContinuousClock.now
        var options = EphemeralPostgres.Options()
        options.isDurable = true
        options.tcp = .freePort
        // It listens on 127.0.0.1 only, and holds nothing.
        options.authentication = .trust
        options.maxConnections = 300
        options.dataDirectory = keep.map { $0 + "/data" }
        let logs = keep ?? NSTemporaryDirectory() + "absurd-chaos-\(getpid())"
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
        var (total, failed) = (Figures(), [UInt64]())
        try await EphemeralPostgres.withServer(options) { server in
            for number in seed.map({ [$0] }) ?? Array(first..<first + UInt64(seeds)) {
                if let minutes, (ContinuousClock.now - start).seconds + Self.longRound > minutes * 60 {
                    break
                }
                let result = try await round(number, server, logs: logs)
                total.add(result.figures)
                if !result.broken.isEmpty { failed.append(number) }
            }
        }
        if keep == nil, failed.isEmpty { try? FileManager.default.removeItem(atPath: logs) }
        print("\nChaos: \(total.rounds) seeds, \(failed.count) of them broke a promise")
        for line in total.lines { print("  \(line)") }
        guard failed.isEmpty else {
            print("  failed: \(failed.map(String.init).joined(separator: ", ")); logs of workers in \(logs)")
            throw ExitCode(1)
        }
    }

    /// Seconds that a round lasts when its faults come late and its claims run out.
    private static let longRound = 30.0

    private func round(_ seed: UInt64, _ server: EphemeralPostgres, logs: String) async throws -> RoundResult
    {
        let plan = Plan(seed: seed)
        let name = "seed_\(seed)"
        let log = "\(logs)/\(name).log"
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let handle = try FileHandle(forWritingTo: URL(filePath: log))
        defer { try? handle.close() }
        try await administer(
            server, "drop database if exists \(name) with (force)", "create database \(name)")
        let address = server.connectionString(database: name, over: .unixSocket)
        let fleet = try ChaosFleet(server, database: name, log: handle)
        defer { fleet.end() }
        let result = try await withAbsurd(AbsurdConfiguration(address), logger: .critical) { client in
            try await client.migrate()
            let database = PrivateDatabase(connectionString: address, client: client)
            if let sabotage { try await database.execute(String(contentsOfFile: sabotage, encoding: .utf8)) }
            return try await Round(
                plan: plan, server: server, database: database, fleet: fleet, bound: .seconds(bound)
            ).run()
        }
        report(plan, result)
        if result.broken.isEmpty {
            try? FileManager.default.removeItem(atPath: log)
            if keep == nil { try await administer(server, "drop database \(name) with (force)") }
        }
        return result
    }

    private func administer(_ server: EphemeralPostgres, _ statements: String...) async throws {
        try await withAbsurd(
            AbsurdConfiguration(server.connectionString(over: .unixSocket)), logger: .critical
        ) { client in
            for statement in statements { _ = try await client.query(statement) }
        }
    }

    private func report(_ plan: Plan, _ result: RoundResult) {
        let figures = result.figures
        let kinds = plan.faults.map(\.kind.rawValue).joined(separator: " ")
        progress(
            "seed \(plan.seed): \(result.broken.isEmpty ? "kept" : "BROKEN"), \(figures.tasks) tasks, "
                + "\(figures.retaken) attempts taken over, last task after "
                + "\((figures.settling * 10).rounded() / 10) s; \(kinds)")
        guard !result.broken.isEmpty else { return }
        for fault in plan.faults { progress("  \(fault)") }
        for promise in result.broken { progress("  \(promise)") }
        progress("  again: scripts/chaos --seed \(plan.seed)")
    }
}
