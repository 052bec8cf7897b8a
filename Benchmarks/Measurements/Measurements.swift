import ArgumentParser

/// Measures what the project promises, each on a private, durable Postgres server of its own.
@main
struct Measurements: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures what swift-absurd promises. Exit code 1 when a promise is broken.",
        subcommands: [
            Endurance.self, Recovery.self, Shutdown.self, ClaimFlatness.self, SuspendedMemory.self,
            SharedQueue.self,
            NotificationCost.self,
            OldTransaction.self, StorageSettings.self, Soak.self, AwaitedResults.self, BenchRun.self,
        ])
}

/// Options of all measurements.
struct ReportOptions: ParsableArguments {
    @Option(help: "A file for the figures as JSON.")
    var json: String?
}
