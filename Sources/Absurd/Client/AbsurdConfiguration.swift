package import LibPQ

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where the database is and how to talk to it.
public struct AbsurdConfiguration: Sendable {
    /// A connection string as libpq reads it: a URI or keywords, with several hosts, `sslmode`, service and
    /// password files as usual.
    ///
    /// What it leaves out comes from the `PG...` variables; an empty one is all from there.
    public var connectionString: String

    /// How many connections the client opens at most for statements and transactions, those of workers included.
    ///
    /// Beside them one listens while workers run or somebody waits for a result, if ``listens`` is true, and another
    /// carries the signs of life while workers run. So count two more for a process with workers, and one more for
    /// others, against the server's `max_connections`.
    ///
    /// All but one of them, unless it is the only one, can be held by ``AbsurdClient/withTransaction(_:)``.
    ///
    /// At least 1. Defaults to 8.
    public var maxConnections = 8

    /// Whether statements are prepared once per connection.
    ///
    /// Turn it off behind a transaction pooler that does not keep prepared statements, such as PgBouncer before
    /// 1.21. Defaults to true.
    public var preparesStatements = true

    /// Whether workers and callers of ``TaskHandle/result(timeout:)`` are told of changes, on one more connection that
    /// listens, instead of asking.
    ///
    /// They ask every five seconds all the same, in case that a notification went astray. Turn it off behind a transaction pooler, which does not pass notifications on. Without it, and while that
    /// connection is away, only latency changes: idle workers ask each ``WorkerOptions/pollInterval``. Defaults to
    /// true.
    public var listens = true

    /// How long a queue, or a result, goes without a look although changes are told.
    package var fallbackInterval: Duration = .seconds(5)

    /// How long one statement may take before it is cancelled.
    ///
    /// From one second to 365 days. Defaults to 30 seconds.
    public var statementTimeout: Duration = .seconds(30)

    /// How long opening a connection may take.
    ///
    /// From one second to 365 days. Defaults to 10 seconds.
    public var connectTimeout: Duration = .seconds(10)

    /// Shown in `pg_stat_activity`.
    ///
    /// Defaults to `swift-absurd`.
    public var applicationName = "swift-absurd"

    public init(_ connectionString: String) {
        self.connectionString = connectionString
    }
}

extension AbsurdConfiguration {
    /// The database that the environment names.
    ///
    /// The first that is set and not empty wins: `ABSURD_DATABASE_URL`; `PGDATABASE` (a name, or a whole connection
    /// string) or `PGSERVICE`; else the database `absurd`, on `PGHOST` or `PGHOSTADDR`, or else on `localhost`.
    ///
    /// What these leave out comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD` and so on, as libpq reads them. Where the
    /// first two name the database and nothing names a host, it is libpq's default: its Unix socket, as a rule.
    public static func environment() -> AbsurdConfiguration {
        environment(ProcessInfo.processInfo.environment)
    }

    package static func environment(_ variables: [String: String]) -> AbsurdConfiguration {
        func value(_ name: String) -> String? {
            guard let value = variables[name], !value.isEmpty else { return nil }
            return value
        }
        if let url = value("ABSURD_DATABASE_URL") { return AbsurdConfiguration(url) }
        if let database = value("PGDATABASE") {
            // libpq itself takes PGDATABASE for a plain name only.
            let isConnectionString = database.contains("://") || database.contains("=")
            return AbsurdConfiguration(isConnectionString ? database : "")
        }
        if value("PGSERVICE") != nil { return AbsurdConfiguration("") }
        if value("PGHOST") != nil || value("PGHOSTADDR") != nil {
            return AbsurdConfiguration("dbname=absurd")
        }
        return AbsurdConfiguration("postgresql://localhost/absurd")
    }

    package func postgres() throws -> PostgresConfiguration {
        guard maxConnections >= 1 else {
            throw AbsurdError(
                .invalidConfiguration, "maxConnections must be at least 1, and is \(maxConnections)")
        }
        for (name, value) in [("statementTimeout", statementTimeout), ("connectTimeout", connectTimeout)] {
            guard (.seconds(1) ... .days(365)).contains(value) else {
                throw AbsurdError(
                    .invalidConfiguration, "\(name) must be from one second to 365 days, and is \(value)")
            }
        }
        var configuration = PostgresConfiguration(connectionString: connectionString)
        do {
            try configuration.checkConnectionString()
        } catch let error as PostgresError {
            throw AbsurdError(error)
        }
        configuration.maxConnections = maxConnections
        configuration.preparesStatements = preparesStatements
        configuration.statementTimeout = statementTimeout
        configuration.connectTimeout = connectTimeout
        configuration.applicationName = applicationName
        configuration.waitsForFirstConnection = false
        return configuration
    }
}
