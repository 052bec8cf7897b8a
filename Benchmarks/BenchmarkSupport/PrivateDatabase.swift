package import Absurd
import EphemeralPostgres
package import LibPQ
package import Logging

/// A private server whose commits survive a power failure, with the schemas installed.
package struct PrivateDatabase: Sendable {
    package let connectionString: String
    package let client: AbsurdClient

    package init(connectionString: String, client: AbsurdClient) {
        self.connectionString = connectionString
        self.client = client
    }

    package static func with<Result>(
        _ configuration: [String] = [], _ body: (PrivateDatabase) async throws -> Result
    ) async throws -> Result {
        var options = EphemeralPostgres.Options()
        options.isDurable = true
        options.configuration = configuration
        return try await EphemeralPostgres.withServer(options) { server in
            try await withAbsurd(AbsurdConfiguration(server.connectionString), logger: .warnings) { client in
                try await client.migrate()
                return try await body(
                    PrivateDatabase(connectionString: server.connectionString, client: client))
            }
        }
    }

    package func connect() async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: connectionString), logger: .warnings)
    }

    /// The only value of the only row.
    package func value<Value: SQLDecodable>(
        _ sql: String, _ parameters: [SQLParameter] = [], as: Value.Type = Value.self
    ) async throws -> Value {
        let rows = try await client.pool.query(sql, parameters, timeout: .seconds(120))
        guard let row = rows.first else { throw MeasurementError("no row: \(sql)") }
        return try row.decode(0)
    }

    package func execute(_ script: String, timeout: Duration = .seconds(600)) async throws {
        try await client.pool.withConnection { try await $0.execute(script: script, timeout: timeout) }
    }

    /// Asks until the answer is true.
    package func wait(
        for what: String, until deadline: ContinuousClock.Instant, _ sql: String,
        _ parameters: [SQLParameter] = []
    ) async throws {
        while try await !value(sql, parameters, as: Bool.self) {
            guard .now < deadline else { throw MeasurementError("not in time: \(what)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

package struct MeasurementError: Error, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

extension Logger {
    package static let warnings: Logger = {
        var logger = Logger(label: "measurements") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }()

    /// For a client whose server is made to fail.
    package static let critical: Logger = {
        var logger = Logger(label: "measurements") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        return logger
    }()
}
