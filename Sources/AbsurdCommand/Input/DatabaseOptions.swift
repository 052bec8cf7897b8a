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
        do {
            return try await withAbsurd(configuration, logger: .silent, body)
        } catch let error as AbsurdError where database != nil {
            throw error.namingOption
        }
    }
}

extension AbsurdError {
    /// The same error for somebody who gave the database as an option, and has to correct it there.
    fileprivate var namingOption: AbsurdError {
        let message = [
            (AbsurdError.addressMissing, "correct --database"), ("ABSURD_DATABASE_URL", "--database"),
            ("'absurd migrate'", "'absurd migrate' with the same --database"),
        ].reduce(message) { message, change in
            message.split(separator: change.0, omittingEmptySubsequences: false).joined(separator: change.1)
        }
        return AbsurdError(code, message, sqlState: sqlState, serverMessage: serverMessage)
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
