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

    func run() throws {
        var sql = ""
        if base || !self.extension { sql += AbsurdSchema.sql(.base) }
        if self.extension || !base { sql += (sql.isEmpty ? "" : "\n") + AbsurdSchema.sql(.extension) }
        try show(sql)
    }
}
