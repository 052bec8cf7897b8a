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

    @Option(help: "The first seed. One by chance, which is printed, unless it is given.")
    var first: UInt64?

    @Option(help: "This seed only.")
    var seed: UInt64?

    @Option(help: "No round starts when it could last beyond so many minutes.")
    var minutes: Double?

    @Option(help: "Seconds that the last task may take to end after the last fault has.")
    var bound = 60

    @Option(
        help: """
            A folder for the server's data and the workers' logs, which are kept. Without it they are kept when a seed \
            fails, in a folder that is printed. The databases are called seed_N.
            """)
    var keep: String?

    @Option(help: "A file of SQL that breaks the engine before each round, to see that the checks notice.")
    var sabotage: String?

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let folder = keep ?? NSTemporaryDirectory() + "absurd-chaos-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let outcome: (total: Figures, failed: [UInt64])
        do {
            outcome = try await rounds(in: folder)
        } catch {
            print("Chaos: ended early; what there is is kept in \(folder)")
            throw error
        }
        let (total, failed) = outcome
        print("\nChaos: \(total.rounds) seeds, \(failed.count) of them broke a promise")
        for line in total.lines { print("  \(line)") }
        guard failed.isEmpty else {
            print("  the server's data and the workers' logs are in \(folder)")
            for seed in failed { print("  seed_\(seed) again: \(command(seed))") }
            throw ExitCode(1)
        }
        if keep == nil { try? FileManager.default.removeItem(atPath: folder) }
        guard total.rounds > 0 else {
            print("  there was no time for one round, so nothing was checked")
            throw ExitCode(1)
        }
    }

    private func rounds(in folder: String) async throws -> (total: Figures, failed: [UInt64]) {
        let start = ContinuousClock.now
        var options = EphemeralPostgres.Options()
        options.isDurable = true
        options.tcp = .freePort
        // It listens on 127.0.0.1 only, and holds nothing.
        options.authentication = .trust
        options.maxConnections = 300
        // A server that is stopped waits so long for whoever connected while it started and then was lost; it answers
        // nobody meanwhile.
        options.configuration = ["authentication_timeout = '5s'"]
        options.dataDirectory = folder + "/data"
        let first = first ?? UInt64.random(in: 1...999_999)
        let chosen = seed.map { [$0] } ?? Array(first..<first + UInt64(max(seeds, 0)))
        if seed == nil { progress("seeds from \(first) on") }
        var (total, failed) = (Figures(), [UInt64]())
        try await EphemeralPostgres.withServer(options) { server in
            for number in chosen {
                if let minutes, (ContinuousClock.now - start).seconds + Self.longRound > minutes * 60 {
                    break
                }
                let result = try await round(number, server, logs: folder)
                total.add(result.figures)
                if !result.broken.isEmpty { failed.append(number) }
            }
        }
        return (total, failed)
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
        let result = try await played(plan, server, name, handle)
        report(plan, result)
        if result.broken.isEmpty, keep == nil {
            try? FileManager.default.removeItem(atPath: log)
            try await administer(server, "drop database \(name) with (force)")
        }
        return result
    }

    /// A round that cannot be played to its end has failed, and the next one follows.
    private func played(
        _ plan: Plan, _ server: EphemeralPostgres, _ name: String, _ log: FileHandle
    ) async throws -> RoundResult {
        let address = server.connectionString(database: name, over: .unixSocket)
        let fleet = try ChaosFleet(server, database: name, log: log)
        defer { fleet.end() }
        do {
            return try await withAbsurd(AbsurdConfiguration(address), logger: .critical) { client in
                try await client.migrate()
                let database = PrivateDatabase(connectionString: address, client: client)
                if let sabotage {
                    try await database.execute(String(contentsOfFile: sabotage, encoding: .utf8))
                }
                return try await Round(
                    plan: plan, server: server, database: database, fleet: fleet, bound: .seconds(bound)
                ).run()
            }
        } catch  where !(error is CancellationError) {
            var result = RoundResult()
            result.figures.rounds = 1
            result.add("a round comes to its end", ["\(error)"] + fleet.ownEnds)
            return result
        }
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
                + (plan.storage == .partitioned ? "partitioned, " : "")
                + "\(figures.retaken) attempts taken over, last task after "
                + "\((figures.settling * 10).rounded() / 10) s; \(kinds)")
        guard !result.broken.isEmpty else { return }
        for fault in plan.faults { progress("  \(fault)") }
        for promise in result.broken { progress("  \(promise)") }
        progress("  again: \(command(plan.seed))")
    }

    /// The command that plays a seed again, with what this run was told.
    private func command(_ seed: UInt64) -> String {
        let build = ProcessInfo.processInfo.environment["CHAOS_BUILD"].map { "CHAOS_BUILD=\($0) " } ?? ""
        var command = "\(build)scripts/chaos --seed \(seed)"
        if bound != 60 { command += " --bound \(bound)" }
        if let sabotage { command += " --sabotage '\(sabotage)'" }
        return command
    }
}
