import TestSupport
import Testing

@testable import LibPQ

/// Deadlines and cancelled tasks.
@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct InterruptionTests {
    private static let isSleeping = """
        select count(*) > 0 from pg_stat_activity
         where state = 'active' and query ~ '^select pg_sleep' and datname = current_database()
        """

    @Test func `cancelling the task cancels its statement on the server`() async throws {
        let database = TestDatabase.current
        let connection = try await database.connect()
        let error = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await connection.query("select pg_sleep(60)") }
            try await database.wait(until: Self.isSleeping)
            group.cancelAll()
            return await #expect(throws: PostgresError.self) { try await group.next() }
        }
        #expect(error?.code == .cancelled)
        #expect(error?.sqlState == "57014")
        #expect(connection.isUsable)
        #expect(try await connection.query("select 1").first?.decode(0) == 1)
    }

    @Test func `a statement that is not cancellable survives its task`() async throws {
        let database = TestDatabase.current
        let connection = try await database.connect()
        let blocker = try await database.connect()
        try await blocker.query("select pg_advisory_lock(1)")
        try await withThrowingTaskGroup(of: Bool?.self) { group in
            group.addTask {
                let rows = try await connection.query(
                    "select pg_advisory_lock(1) is not null as done", isCancellable: false)
                return try rows.first?.decode("done")
            }
            try await database.waitUntilBlocked(connection.backendPID)
            group.cancelAll()
            try await blocker.query("select pg_advisory_unlock(1)")
            #expect(try await group.next() == true)
        }
    }

    @Test func `it survives its task also when it is the first on a new connection`() async throws {
        let database = TestDatabase.current
        let admin = try await database.connect()
        // A style of which a new connection has to change the setting first.
        try await admin.execute(script: "alter database \(database.name) set datestyle to 'SQL, DMY'")
        let pool = PostgresPool(
            configuration: PostgresConfiguration(connectionString: database.connectionString), logger: .quiet)
        let answer = try await withThrowingTaskGroup(of: Int?.self) { group in
            group.cancelAll()
            group.addTask { try await pool.query("select 7", isCancellable: false).first?.decode(0) }
            return try await group.next() ?? nil
        }
        #expect(answer == 7)
        await pool.close()
    }

    @Test func `a cancelled task sends no statement`() async throws {
        let connection = try await TestDatabase.current.connect()
        let error = await withTaskGroup(of: PostgresError?.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: PostgresError.self) { try await connection.query("create table t ()") }
            }
            return await group.next() ?? nil
        }
        #expect(error?.code == .cancelled)
        #expect(try await connection.query("select to_regclass('t') is null").first?.decode(0) == true)
    }

    @Test func `a statement ends at its deadline and the connection stays usable`() async throws {
        let connection = try await TestDatabase.current.connect()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.query("select pg_sleep(60)", timeout: .milliseconds(50))
        }
        #expect(error?.code == .timedOut)
        #expect(error?.description.contains("deadline") == true)
        #expect(try await connection.query("select 1").first?.decode(0) == 1)
    }

    @Test func `the configured deadline holds for scripts too`() async throws {
        let connection = try await TestDatabase.current.connect { $0.statementTimeout = .milliseconds(50) }
        let error = await #expect(throws: PostgresError.self) {
            try await connection.execute(script: "select 1; select pg_sleep(60)")
        }
        #expect(error?.code == .timedOut)
    }

    @Test func `statements of several tasks take turns, and a cancelled one leaves the queue`() async throws {
        let database = TestDatabase.current
        let connection = try await database.connect()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<50 {
                group.addTask {
                    try await connection.query("select $1::int", [.int(Int64(number))]).first?.decode(0) ?? -1
                }
            }
            let numbers = try await group.reduce(into: Set()) { $0.insert($1) }
            #expect(numbers.count == 50)
        }
        let blocker = try await database.connect()
        try await blocker.query("select pg_advisory_lock(1)")
        async let waiting = connection.query("select pg_advisory_lock(1) is not null")
        try await database.waitUntilBlocked(connection.backendPID)
        let error = await withTaskGroup(of: PostgresError?.self) { group in
            group.addTask {
                await #expect(throws: PostgresError.self) { try await connection.query("select 1") }
            }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(error?.code == .cancelled)
        try await blocker.query("select pg_advisory_unlock(1)")
        #expect(try await waiting.count == 1)
        #expect(try await connection.query("select 1").count == 1)
    }
}
