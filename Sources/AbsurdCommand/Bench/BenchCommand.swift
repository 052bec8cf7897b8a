import Absurd
import ArgumentParser

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast a database carries workflows.",
        discussion: """
            Makes a queue of its own (bench_...), runs one scenario with a worker in this process, prints what it \
            measured and drops the queue. Use a database that has nothing else to do, and the release build.

            \(BenchScenario.allCases.map { "  \($0.rawValue): \($0.abstract)" }.joined(separator: "\n"))
            """)

    @Argument(help: ArgumentHelp("What to measure.", valueName: "scenario"))
    var scenario: BenchScenario

    @Option(
        name: .long, help: ArgumentHelp("How many tasks; each scenario has its default.", valueName: "number")
    )
    var count: Int?

    @Option(name: .long, help: ArgumentHelp("How many handlers at once.", valueName: "number"))
    var concurrency: Int?

    @Option(name: .long, help: ArgumentHelp("How many workers the pool has.", valueName: "number"))
    var workers: Int?

    @Option(name: .long, help: ArgumentHelp("How many connections the pool has.", valueName: "number"))
    var connections: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("How long scenarios without a count last, such as 60s.", valueName: "duration"),
        transform: Duration.init(argument:))
    var duration: Duration?

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        for (name, value, range) in [
            ("--count", count, 1...10_000_000), ("--concurrency", concurrency, 1...100_000),
            ("--workers", workers, 1...1000), ("--connections", connections, 1...1000),
        ] {
            guard let value, !range.contains(value) else { continue }
            throw ValidationError(
                "\(name) must be from \(range.lowerBound) to \(range.upperBound), and is \(value).")
        }
    }

    func run() async throws {
        BenchMetrics.bootstrapped
        let settings = scenario.adjusted(
            BenchSettings(
                count: count ?? scenario.defaultCount,
                concurrency: concurrency ?? scenario.defaultConcurrency,
                workers: workers ?? 1, connections: connections ?? 8, duration: duration ?? .seconds(60)))
        var configuration = database.configuration
        configuration.maxConnections = settings.connections
        configuration.statementTimeout = .minutes(10)
        let figure = try await withAbsurd(configuration, logger: .silent) { client in
            let bench = try await Bench(
                client: client, configuration: configuration, scenario: scenario, settings: settings)
            do {
                let figure = try await scenario.measure(bench)
                try await bench.cleanUp()
                return figure
            } catch {
                try? await bench.cleanUp()  // The error that ended the measurement is the one to report.
                throw error
            }
        }
        try show(output.json ? figure.json : figure.text)
    }
}
