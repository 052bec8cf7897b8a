import Absurd
import ArgumentParser
import Logging

/// Where the database is.
struct DatabaseOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The database, as a URL or as keywords of libpq.",
            discussion:
                "Prefer ABSURD_DATABASE_URL for one with a password: other users can see a command line.",
            valueName: "url"))
    var database: String?

    var configuration: AbsurdConfiguration {
        var configuration = database.map { AbsurdConfiguration($0) } ?? .environment()
        // One after the other is how a command works.
        configuration.maxConnections = 2
        configuration.applicationName = "absurd"
        return configuration
    }

    /// Lends a client for the command's database.
    func withClient<Result>(_ body: (AbsurdClient) async throws -> Result) async throws -> Result {
        try await withAbsurd(configuration, logger: .silent, body)
    }
}

/// How the answer is printed.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print one JSON document.")
    var json = false
}

extension Logger {
    /// What goes wrong is in the error that is printed.
    static let silent = Logger(label: "absurd") { _ in SwiftLogNoOpLogHandler() }
}
