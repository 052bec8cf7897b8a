package import LibPQ
package import Logging
import Synchronization

/// The database of one test, dropped when the test ends.
package final class TestDatabase: Sendable {
    @TaskLocal private static var inScope: TestDatabase?

    /// The database of the running test.
    ///
    /// Only there in the test's task and its children; an exit test's process gets `connectionString` as a
    /// captured value.
    package static var current: TestDatabase {
        guard let database = inScope else {
            preconditionFailure("this test has no trait .database(…), or runs outside of its test's task")
        }
        return database
    }

    package let name: String
    /// For libpq and everything built on it.
    package let connectionString: String
    /// The same through PgBouncer, when the tests of workers are to go through it (`ABSURD_TEST_POOLER`).
    package let pooledConnectionString: String?

    private let opened = Mutex<[PostgresConnection]>([])
    private let observer: Lazy<PostgresConnection>

    init(name: String, connectionString: String, pooledConnectionString: String? = nil) {
        self.name = name
        self.pooledConnectionString = pooledConnectionString
        self.connectionString = connectionString
        self.observer = Lazy {
            try await PostgresConnection.connect(
                PostgresConfiguration(connectionString: connectionString), logger: .quiet)
        }
    }

    /// Opens a connection, which is closed with the test.
    package func connect(
        _ configure: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws -> PostgresConnection {
        var configuration = PostgresConfiguration(connectionString: connectionString)
        // Generous, since on a small machine many tests share the server; a test of deadlines sets its own.
        configuration.statementTimeout = .seconds(300)
        configure(&configuration)
        let connection = try await PostgresConnection.connect(configuration, logger: .quiet)
        opened.withLock { $0.append(connection) }
        return connection
    }

    /// The same through a PgBouncer in transaction mode, which is started for the first test that asks.
    ///
    /// - Throws: cancels the test where PgBouncer is not installed.
    package func throughPooler() async throws -> String {
        try await TestServer.shared().pooled(self)
    }

    /// A connection for looking at the database from beside, one and the same for the whole test.
    package func observingConnection() async throws -> PostgresConnection {
        try await observer.value
    }

    static func withDatabase(
        _ contents: DatabaseTrait.Contents, _ body: () async throws -> Void
    ) async throws {
        let server = try await TestServer.shared()
        let database = try await server.makeDatabase(contents)
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await $inScope.withValue(database) { try await body() })
        } catch {
            outcome = .failure(error)
        }
        await database.closeConnections()
        // Not a child of the test's task: a cancelled test leaves no database behind, and stays cancelled rather
        // than failing for a statement that was cancelled with it.
        try await Task { try await server.drop(database) }.value
        try outcome.get()
    }

    private func closeConnections() async {
        let connections = opened.withLock { opened in
            defer { opened = [] }
            return opened
        }
        for connection in connections {
            await connection.close()
        }
        await observer.existing?.close()
    }
}

extension Logger {
    /// For connections whose noise is not part of any test.
    package static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}
