import LibPQ
import TestSupport
import Testing

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct DatabaseTraitTests {
    // More cases than databases at once, each of which would meet the tables of a neighbour.
    @Test(arguments: 1...40)
    func `every case has a database of its own`(_ number: Int) async throws {
        let database = TestDatabase.current
        let connection = try await database.connect()
        try await connection.execute(script: "create table mine as select \(number) as number")
        let rows = try await connection.query("select number, current_database()::text as name from mine")
        #expect(rows.count == 1)
        #expect(try rows.first?.decode("number", as: Int.self) == number)
        #expect(try rows.first?.decode("name", as: String.self) == database.name)
    }

    @Test func `an empty database has none of our schemas`() async throws {
        #expect(try await ourSchemas() == [])
    }

    @Test(.database(.migrated))
    func `a test's own trait wins over its suite's`() async throws {
        #expect(try await ourSchemas() == ["absurd", "absurd_swift"])
        let connection = try await TestDatabase.current.connect()
        let rows = try await connection.query("select absurd.get_schema_version()")
        #expect(try rows.first?.decode(0, as: String.self) == "swift-0.5.1")
    }

    @Test(.database(.official))
    func `the official schema comes from absurdctl and has our extension on top`() async throws {
        #expect(try await ourSchemas() == ["absurd", "absurd_swift"])
        let connection = try await TestDatabase.current.connect()
        let rows = try await connection.query("select absurd.get_schema_version()")
        #expect(try rows.first?.decode(0, as: String.self) == "0.5.1")
    }

    @Test func `a session that waits for a lock is seen waiting`() async throws {
        let database = TestDatabase.current
        let holder = try await database.connect()
        let waiter = try await database.connect()
        try await holder.execute(script: "create table t ()")
        try await holder.execute(script: "begin; lock table t")
        async let waiting: Void = waiter.execute(script: "begin; lock table t; commit")
        try await database.waitUntilBlocked(waiter.backendPID)
        try await holder.execute(script: "commit")
        try await waiting
        #expect(try await database.sessionCount() == 2)
    }

    @Test func `a condition that never holds is an issue`() async throws {
        await withKnownIssue {
            try await eventually(within: .milliseconds(30)) { false }
        }
    }
}

private func ourSchemas() async throws -> [String] {
    let connection = try await TestDatabase.current.connect()
    let rows = try await connection.query(
        "select nspname::text from pg_namespace where nspname like 'absurd%' order by nspname")
    return try rows.map { try $0.decode(0, as: String.self) }
}
