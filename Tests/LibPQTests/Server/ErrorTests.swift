import InMemoryLogging
import Logging
import TestSupport
import Testing

@testable import LibPQ

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct ErrorTests {
    @Test func `an error of the server has its SQLSTATE and fields, and shows no data`() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(
            script: "create table t (a text constraint t_key primary key); insert into t values ('secret')")
        let error = try #require(
            await #expect(throws: PostgresError.self) {
                try await connection.query("insert into t values ('secret')")
            })
        #expect(error.code == .server)
        #expect(error.sqlState == "23505")
        #expect(error.constraint == "t_key")
        #expect(error.table == "t")
        #expect(error.schema == "public")
        #expect(error.severity == "ERROR")
        #expect(error.detail?.contains("secret") == true)
        #expect(error.description.contains("t_key"))
        #expect(!error.description.contains("secret"))
        #expect(error.debugDescription.contains("secret"))
    }

    @Test(arguments: [
        "select 'secret'::text::int", "do $$ begin raise 'secret' using errcode = '23505'; end $$",
    ])
    func `a message that can quote data is not in the description`(_ sql: String) async throws {
        let connection = try await TestDatabase.current.connect()
        let error = try #require(
            await #expect(throws: PostgresError.self) { try await connection.query(sql) })
        #expect(!error.description.contains("secret"))
        #expect(error.message.contains("secret"))
        #expect(connection.isUsable)
    }

    @Test func `a script stops at its first error`() async throws {
        let connection = try await TestDatabase.current.connect()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.execute(script: "create table t (a int); select 1 / 0; select nonsense")
        }
        #expect(error?.sqlState == "22012")
        #expect(try await connection.query("select to_regclass('t') is null").first?.decode(0) == true)
    }

    @Test func `copying between server and client is refused and closes the connection`() async throws {
        let connection = try await TestDatabase.current.connect()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.execute(script: "copy (select 1) to stdout")
        }
        #expect(error?.code == .unsupported)
        #expect(!connection.isUsable)
    }

    @Test func `notices go to the logger at debug level`() async throws {
        let handler = InMemoryLogHandler()
        var logger = Logger(label: "test") { _ in handler }
        logger.logLevel = .debug
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: TestDatabase.current.connectionString), logger: logger)
        try await connection.execute(script: "do $$ begin raise notice 'a word'; end $$")
        await connection.close()
        let notice = handler.entries.first { $0.metadata["sql.message"] == "a word" }
        #expect(notice?.level == .debug)
    }

    @Test func `a closed connection refuses statements`() async throws {
        let connection = try await TestDatabase.current.connect()
        await connection.close()
        await connection.close()
        let error = await #expect(throws: PostgresError.self) { try await connection.query("select 1") }
        #expect(error?.code == .connectionLost)
    }

    @Test func `a backend that is terminated in a statement loses the connection and says why`() async throws
    {
        let database = TestDatabase.current
        let connection = try await database.connect()
        let error = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await connection.query("select pg_sleep(60)") }
            try await database.wait(
                until: """
                    select pg_terminate_backend(pid) from pg_stat_activity
                     where query ~ '^select pg_sleep' and datname = current_database()
                    """)
            return await #expect(throws: PostgresError.self) { try await group.next() }
        }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
        #expect(!connection.isUsable)
    }
}
