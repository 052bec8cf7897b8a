import Absurd
import ArgumentParser

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the SQL that 'absurd migrate' executes, for those who keep their own migrations.",
        discussion: "Safe to execute again. Without an option, both schemas; no database is needed.")

    @Flag(name: .long, help: "Only the schema 'absurd', which all SDKs share.")
    var base = false

    @Flag(
        name: .customLong("extension"),
        help: "Only the schema 'absurd_swift', for beside an official 'absurd'.")
    var `extension` = false

    @Flag(
        name: .long,
        help:
            "Instead, roles with least privileges for producers, workers, supervisors, operators and viewers."
    )
    var roles = false

    func validate() throws {
        guard !roles || !(base || self.extension) else {
            throw ValidationError("--roles is printed by itself; ask for the schemas in a second call.")
        }
    }

    func run() throws {
        if roles { return try show(AbsurdSchema.roles) }
        var sql = ""
        if base || !self.extension { sql += AbsurdSchema.sql(.base) }
        if self.extension || !base { sql += (sql.isEmpty ? "" : "\n") + AbsurdSchema.sql(.extension) }
        try show(sql)
    }
}
