import EphemeralPostgres
import TestSupport

@testable import LibPQ

/// A server of a test's own: to be reached over TCP, with passwords and TLS, and to be stopped.
struct PrivateServer: Sendable {
    let process: EphemeralPostgres

    static func with<Result>(
        _ configure: (inout EphemeralPostgres.Options) -> Void = { _ in },
        _ body: (PrivateServer) async throws -> Result
    ) async throws -> Result {
        var options = EphemeralPostgres.Options()
        options.tcp = .freePort
        configure(&options)
        return try await EphemeralPostgres.withServer(options) { try await body(PrivateServer(process: $0)) }
    }

    /// A connection string of keywords; `more` wins over what stands before it.
    func keywords(_ more: String = "") -> String {
        "host=127.0.0.1 port=\(process.port) user=postgres dbname=postgres password=\(process.password ?? "''") \(more)"
    }

    func connect(_ more: String = "") async throws -> PostgresConnection {
        var configuration = PostgresConfiguration(connectionString: keywords(more))
        // While all tests begin, a machine with two cores may take its time.
        configuration.connectTimeout = .seconds(60)
        return try await PostgresConnection.connect(configuration, logger: .quiet)
    }

    /// The error of an attempt that is expected to fail.
    static func failure(
        connectingTo connectionString: String, within limit: Duration = .seconds(60)
    ) async throws -> PostgresError? {
        var configuration = PostgresConfiguration(connectionString: connectionString)
        configuration.connectTimeout = limit
        do {
            let connection = try await PostgresConnection.connect(configuration, logger: .quiet)
            await connection.close()
            return nil
        } catch let error as PostgresError {
            return error
        }
    }
}
