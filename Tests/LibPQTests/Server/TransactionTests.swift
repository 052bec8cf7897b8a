import TestSupport
import Testing

@testable import LibPQ

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct TransactionTests {
    private struct Failure: Error {}

    private func makeTable() async throws -> PostgresConnection {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: "create table t (a int)")
        return connection
    }

    private func rows() async throws -> Int {
        let rows = try await TestDatabase.current.observingConnection().query("select count(*) as n from t")
        return try rows.first?.decode("n") ?? -1
    }

    /// Makes the COMMIT of a transaction that inserts into `t` run this code first.
    private func atCommit(_ connection: PostgresConnection, _ code: String) async throws {
        try await connection.execute(
            script: """
                create function at_commit() returns trigger language plpgsql as $$ begin \(code); return null; end $$;
                create constraint trigger t_commit after insert on t deferrable initially deferred
                  for each row execute function at_commit();
                """)
    }

    @Test func `a transaction commits when its body returns`() async throws {
        let connection = try await makeTable()
        let answer = try await connection.withTransaction { transaction in
            try await transaction.query("insert into t values (1)")
            #expect(try await rows() == 0)
            return 42
        }
        #expect(answer == 42)
        #expect(try await rows() == 1)
    }

    @Test func `a transaction rolls back when its body throws`() async throws {
        let connection = try await makeTable()
        await #expect(throws: Failure.self) {
            try await connection.withTransaction { transaction in
                try await transaction.query("insert into t values (1)")
                throw Failure()
            }
        }
        #expect(try await rows() == 0)
        #expect(connection.condition.isClean)
    }

    @Test func `a body that swallows the error of a statement does not commit`() async throws {
        let connection = try await makeTable()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                try await transaction.query("insert into t values (1)")
                _ = try? await transaction.query("select 1 / 0")
            }
        }
        #expect(error?.code == .transactionFailed)
        #expect(try await rows() == 0)
    }

    @Test func `transactions do not nest, and the attempt does not end the outer one`() async throws {
        let connection = try await makeTable()
        try await connection.withTransaction { transaction in
            let error = await #expect(throws: PostgresError.self) {
                try await transaction.withTransaction { _ in }
            }
            #expect(error?.code == .transactionFailed)
            try await transaction.query("insert into t values (1)")
        }
        #expect(try await rows() == 1)
    }

    @Test func `a cancelled task rolls back`() async throws {
        let database = TestDatabase.current
        let connection = try await makeTable()
        let error = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await connection.withTransaction { transaction in
                    try await transaction.query("insert into t values (1)")
                    try await transaction.query("select pg_sleep(60)")
                }
            }
            try await database.wait(
                until: """
                    select count(*) > 0 from pg_stat_activity
                     where state = 'active' and query ~ '^select pg_sleep' and datname = current_database()
                    """)
            group.cancelAll()
            return await #expect(throws: PostgresError.self) { try await group.next() }
        }
        #expect(error?.code == .cancelled)
        #expect(connection.condition.isClean)
        #expect(try await rows() == 0)
    }

    @Test func `a COMMIT is not cancelled with its task`() async throws {
        let database = TestDatabase.current
        let connection = try await makeTable()
        try await atCommit(connection, "perform pg_advisory_xact_lock(1)")
        let blocker = try await database.connect()
        try await blocker.query("select pg_advisory_lock(1)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await connection.withTransaction { _ = try await $0.query("insert into t values (1)") }
            }
            try await database.waitUntilBlocked(connection.backendPID)
            group.cancelAll()
            try await blocker.query("select pg_advisory_unlock(1)")
            try await group.next()
        }
        #expect(try await rows() == 1)
    }

    @Test func `an error of the COMMIT itself means that nothing was committed`() async throws {
        let connection = try await makeTable()
        try await atCommit(connection, "raise unique_violation")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { _ = try await $0.query("insert into t values (1)") }
        }
        #expect(error?.code == .server)
        #expect(error?.sqlState == "23505")
        #expect(connection.condition.isClean)
        #expect(try await rows() == 0)
    }

    @Test func `a COMMIT whose answer does not come is unknown`() async throws {
        let connection = try await makeTable()
        try await atCommit(connection, "perform pg_terminate_backend(pg_backend_pid())")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { _ = try await $0.query("insert into t values (1)") }
        }
        #expect(error?.code == .commitUnknown)
        #expect((error?.underlying as? PostgresError)?.code == .connectionLost)
        #expect(!connection.isUsable)
    }

    @Test func `a COMMIT that does not end in time is unknown, too`() async throws {
        let connection = try await makeTable()
        try await atCommit(connection, "perform pg_sleep(60)")
        let hasty = try await TestDatabase.current.connect { $0.statementTimeout = .milliseconds(200) }
        let error = await #expect(throws: PostgresError.self) {
            try await hasty.withTransaction { _ = try await $0.query("insert into t values (1)") }
        }
        #expect(error?.code == .commitUnknown)
        #expect(!hasty.isUsable)
    }
}
