/// How connections are made and how long things may take.
package struct PostgresConfiguration: Sendable {
    /// Where to connect, in libpq's own form.
    ///
    /// A URI or keywords and values; several hosts, `service`, `sslmode` and the rest work as libpq's
    /// documentation has them. What it leaves out comes from the environment (`PGHOST`, …); an empty
    /// string takes everything from there.
    ///
    /// TCP keep-alives and `tcp_user_timeout` are set by this client unless they are set here.
    package var connectionString: String

    /// Whether each statement is prepared once per connection and executed by name afterwards.
    ///
    /// Turn it off behind transaction poolers that do not follow prepared statements (PgBouncer before
    /// 1.21). Defaults to true.
    package var preparesStatements = true

    /// How many prepared statements a connection keeps; the least recently used one makes room.
    ///
    /// Inside a transaction there may be more, until it has ended.
    package var preparedStatementLimit = 256

    /// How long making a connection may take, over all hosts of the connection string.
    ///
    /// A `connect_timeout` of the connection string counts per host, as in libpq, and replaces this.
    /// Defaults to 10 seconds.
    package var connectTimeout: Duration = .seconds(10)

    /// How long a statement may take, unless its call says otherwise.
    ///
    /// Kept by the client, so it also bounds waiting for a server that is gone. Defaults to 30 seconds.
    package var statementTimeout: Duration = .seconds(30)

    /// How many connections the pool opens at most.
    ///
    /// Must be at least one. Defaults to 8.
    package var maxConnections = 8

    /// How long a caller waits for a connection of the pool.
    ///
    /// Failed attempts to connect are included. Defaults to 30 seconds.
    package var acquireTimeout: Duration = .seconds(30)

    /// Whether a caller of the pool waits for a server that has never been reached, as it does for one that was.
    ///
    /// Off, a wrong address is reported by the first attempt. Defaults to true.
    package var waitsForFirstConnection = true

    /// How long an unused connection stays open while the pool runs as a service.
    ///
    /// Defaults to 5 minutes.
    package var idleTimeout: Duration = .seconds(300)

    /// Shown in `pg_stat_activity`, unless the connection string or `PGAPPNAME` names another.
    package var applicationName: String?

    /// Shared by the copies of a configuration.
    let hostMemory = HostMemory()

    /// Refuses a connection string that libpq could not read; whether somebody answers there is another question.
    ///
    /// - Throws: ``PostgresError`` with the code `invalidConfiguration`.
    package func checkConnectionString() throws { _ = try parsedConnectionString(connectionString) }

    package init(connectionString: String) {
        self.connectionString = connectionString
    }
}

extension PostgresConfiguration: CustomReflectable {
    /// Without the connection string, which can have a password in it.
    package var customMirror: Mirror {
        Mirror(self, children: ["applicationName": applicationName as Any, "maxConnections": maxConnections])
    }
}
