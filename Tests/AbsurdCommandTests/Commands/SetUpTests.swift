import Absurd
import LibPQ
import TestSupport
import Testing

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct SetUpTests {
    @Test func `migrate installs both schemas and says so, and a second time that they are there`()
        async throws
    {
        let first = try await succeeding("migrate", "--json").json
        #expect(first["previous_version"] == .null)
        #expect(first["version"]?.stringValue == AbsurdSchema.baseVersion)
        #expect(first["is_official"] == false)
        let second = try await succeeding("migrate")
        #expect(second.lines[0] == "schema absurd: version \(AbsurdSchema.baseVersion), was there already")
        #expect(try await succeeding("queue", "create", "q").output == "queue 'q' created\n")
    }

    @Test func `the printed SQL sets up a database as migrate does`() async throws {
        let connection = try await TestDatabase.current.connect()
        let base = try await succeeding("schema", "--base").output
        let `extension` = try await succeeding("schema", "--extension").output
        #expect(try await succeeding("schema").output == base + `extension`)
        try await connection.execute(script: base)
        try await connection.execute(script: `extension`)
        let report = try await succeeding("migrate", "--json").json
        #expect(report["previous_version"]?.stringValue == AbsurdSchema.baseVersion)
        #expect(report["queue_statements"] == [])
    }

    @Test func `a reader that goes away is no crash`() async throws {
        let run = try await Command.shell("absurd schema | head -n 1")
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
    }

    @Test(.database(.migrated)) func `version says the program's version and, if wanted, the database's`()
        async throws
    {
        #expect(try await succeeding("version").output == "\(try await succeeding("--version").output)")
        let run = try await succeeding("version", "--schema", "--json").json
        #expect(run.keys == ["version", "schema_version", "extension_version"])
        #expect(run["schema_version"]?.stringValue == AbsurdSchema.baseVersion)
    }

    @Test(.database(.migrated))
    func `the printed roles can be executed, twice, and are printed by themselves`()
        async throws
    {
        let script = try await succeeding("schema", "--roles").output
        let connection = try await TestDatabase.current.connect()
        for _ in 0..<2 { try await connection.execute(script: script) }
        #expect(try await Command.run(["schema", "--roles", "--base"]).status == 2)
    }

    @Test(.database(.official)) func `beside an official schema migrate leaves it alone`() async throws {
        let report = try await succeeding("migrate", "--json").json
        #expect(report["is_official"] == true)
        #expect(report["version"] == report["previous_version"])
    }
}
