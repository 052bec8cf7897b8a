import Absurd
import ArgumentParser

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the versions of this program and, if wanted, of a database's schemas.")

    @Flag(name: .customLong("schema"), help: "Also read the versions of the database's schemas.")
    var readsSchema = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard readsSchema || database.database != nil else {
            return try show(output.json ? JSONOutput.object(members).text : AbsurdTool.version)
        }
        let versions = try await database.withClient { try await $0.schemaVersion() }
        guard output.json else {
            let lines = [
                "absurd \(AbsurdTool.version)", "schema absurd \(versions.absurd)",
                "schema absurd_swift \(versions.absurdSwift)",
            ]
            return try show(lines.joined(separator: "\n"))
        }
        let schemas: [(String, JSONOutput)] = [
            ("schema_version", .string(versions.absurd)),
            ("extension_version", .string(versions.absurdSwift)),
        ]
        try show(JSONOutput.object(members + schemas).text)
    }

    private var members: [(String, JSONOutput)] { [("version", .string(AbsurdTool.version))] }
}
