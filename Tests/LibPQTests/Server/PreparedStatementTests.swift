import TestSupport
import Testing

@testable import LibPQ

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct PreparedStatementTests {
    private func prepared(_ connection: PostgresConnection) async throws -> [String] {
        try await connection.query(
            "select statement from pg_prepared_statements order by name", [], timeout: nil
        )
        .map { try $0.decode(0, as: String.self) }
    }

    @Test func `a statement is prepared once per connection`() async throws {
        let connection = try await TestDatabase.current.connect()
        for number in 1...3 { try await connection.query("select $1::int", [.int(Int64(number))]) }
        #expect(try await prepared(connection).count { $0 == "select $1::int" } == 1)
    }

    @Test func `nothing is prepared when that is turned off`() async throws {
        let connection = try await TestDatabase.current.connect { $0.preparesStatements = false }
        try await connection.query("select $1::int", [1])
        #expect(try await prepared(connection).isEmpty)
    }

    @Test func `the oldest statement is deallocated when there are too many`() async throws {
        let connection = try await TestDatabase.current.connect { $0.preparedStatementLimit = 2 }
        for number in 1...5 { try await connection.query("select \(number)") }
        #expect(try await prepared(connection).count == 2)
    }

    @Test func `one that could not be deallocated at once is deallocated later`() async throws {
        let connection = try await TestDatabase.current.connect { $0.preparedStatementLimit = 1 }
        try await connection.query("select 1")
        await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                // Ends the transaction, so that nothing can be deallocated.
                _ = try? await transaction.execute(script: "select 1 / 0")
                try await transaction.query("select 2")
            }
        }
        #expect(try await prepared(connection).count == 1)
    }

    @Test func `inside a transaction no statement is deallocated`() async throws {
        let connection = try await TestDatabase.current.connect { $0.preparedStatementLimit = 1 }
        try await connection.query("select 1")
        try await connection.withTransaction { transaction in
            try await transaction.execute(script: "deallocate all")
            try await transaction.query("select 2")
            try await transaction.query("select 3")
        }
        #expect(try await prepared(connection).count == 1)
    }

    @Test func `a statement whose description was cancelled is deallocated`() async throws {
        let database = TestDatabase.current
        let connection = try await database.connect()
        let (first, second) = (try await database.connect(), try await database.connect())
        try await first.execute(script: "create table t (a int)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The preparation waits for the first lock; the second one is granted the moment it is done, so that
            // the description waits, too.
            try await first.execute(script: "begin; lock table t")
            group.addTask { _ = try await connection.query("select * from t") }
            try await database.waitUntilBlocked(connection.backendPID)
            async let secondLock: Void = second.execute(script: "begin; lock table t")
            try await database.waitUntilBlocked(second.backendPID)
            try await first.execute(script: "commit")
            try await secondLock
            try await database.waitUntilBlocked(connection.backendPID)
            group.cancelAll()
            let error = await #expect(throws: PostgresError.self) { try await group.next() }
            #expect(error?.code == .cancelled)
        }
        try await second.execute(script: "commit")
        #expect(try await connection.query("select * from t").isEmpty)
        #expect(try await prepared(connection).count { $0 == "select * from t" } == 1)
    }

    @Test func `a changed result type is noticed and the statement prepared again`() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: "create table t (a int); insert into t values (1)")
        #expect(try await connection.query("select * from t").first?.decode("a") == 1)
        try await connection.execute(script: "alter table t alter a type text")
        #expect(try await connection.query("select * from t").first?.decode("a") == "1")
        try await connection.execute(script: "alter table t add b numeric default 2.5")
        #expect(try await connection.query("select * from t").first?.decode("b") == "2.5")
        #expect(try await prepared(connection).count { $0 == "select * from t" } == 1)
    }

    @Test func `a statement that somebody deallocated is prepared again`() async throws {
        let connection = try await TestDatabase.current.connect()
        #expect(try await connection.query("select 7").first?.decode(0) == 7)
        try await connection.execute(script: "deallocate all")
        #expect(try await connection.query("select 7").first?.decode(0) == 7)
    }

    @Test func `inside a transaction it is an error, and the next use works`() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.query("select 7")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                try await transaction.execute(script: "deallocate all")
                try await transaction.query("select 7")
            }
        }
        #expect(error?.sqlState == "26000")
        #expect(try await connection.query("select 7").first?.decode(0) == 7)
    }

    @Test func `a statement that cannot be prepared is tried afresh the next time`() async throws {
        let connection = try await TestDatabase.current.connect()
        await #expect(throws: PostgresError.self) { try await connection.query("select * from t") }
        try await connection.execute(script: "create table t (a int)")
        #expect(try await connection.query("select * from t").isEmpty)
    }
}
