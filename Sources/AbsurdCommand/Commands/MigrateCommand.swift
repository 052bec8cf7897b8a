import Absurd
import ArgumentParser

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Install or upgrade the schemas 'absurd' and 'absurd_swift'.",
        discussion: """
            Safe to repeat, and safe while workers run. Beside an official schema 'absurd' only 'absurd_swift' is \
            installed.
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (report, versions) = try await database.withClient { client in
            (try await client.migrate(), try await client.schemaVersion())
        }
        try show(
            output.json
                ? report.json(extensionVersion: versions.absurdSwift).text
                : report.text(extensionVersion: versions.absurdSwift))
    }
}

extension MigrationReport {
    func text(extensionVersion: String) -> String {
        let base =
            switch previousVersion {
            case nil: "schema absurd: installed, version \(version)"
            case _ where isOfficialBase: "schema absurd: official version \(version), left as it is"
            case version: "schema absurd: version \(version), was there already"
            case let previous?: "schema absurd: upgraded from \(previous) to \(version)"
            }
        let lines = [base, "schema absurd_swift: version \(extensionVersion)"]
        return (lines + queueStatements.map { "executed: \($0)" }).joined(separator: "\n")
    }

    func json(extensionVersion: String) -> JSONOutput {
        .object([
            ("previous_version", .optional(previousVersion)),
            ("version", .string(version)),
            ("is_official", .bool(isOfficialBase)),
            ("extension_version", .string(extensionVersion)),
            ("queue_statements", .strings(queueStatements)),
        ])
    }
}
