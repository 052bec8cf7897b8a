import CLibPQ

extension PostgresConnection {
    /// Runs one statement.
    ///
    /// - Parameter timeout: instead of ``PostgresConfiguration/statementTimeout``.
    /// - Parameter isCancellable: whether cancelling the calling task cancels the statement on the server.
    /// - Parameter isRepeatable: whether the caller sends it again should the connection be lost, so that
    ///   ``PostgresPool/abandon(sentBefore:)`` may break it off.
    /// - Parameter asksToCancel: whether the server is asked to cancel the statement when its time is up, which can take
    ///   two seconds more; else the connection is closed at once.
    /// - Throws: `server` with a SQLSTATE, `timedOut`, `cancelled`, `connectionLost`, `invalidParameter`.
    @discardableResult
    package func query(
        _ sql: String, _ parameters: [SQLParameter] = [], timeout: Duration? = nil,
        isCancellable: Bool = true, isRepeatable: Bool = false, asksToCancel: Bool = true
    ) async throws -> SQLRows {
        let bound = try BoundParameters(parameters)
        try refuseNUL(sql)
        return try await withTurn(isCancellable: isCancellable) { connection in
            let limit = StatementLimit(
                timeout: timeout ?? connection.configuration.statementTimeout, followsTask: isCancellable,
                canBeCancelledOnServer: asksToCancel, isRepeatable: isRepeatable)
            return SQLRows(result: try await connection.run(sql, bound, limit))
        }
    }

    /// Runs any number of statements, separated by semicolons, without parameters and without results.
    ///
    /// Without transaction commands in it the script is one transaction.
    package func execute(
        script: String, timeout: Duration? = nil, isCancellable: Bool = true
    ) async throws {
        try refuseNUL(script)
        try await withTurn(isCancellable: isCancellable) { connection in
            let limit = StatementLimit(
                timeout: timeout ?? connection.configuration.statementTimeout, followsTask: isCancellable)
            _ = try await connection.roundTrip(limit) { $0.sendQuery(script) }
        }
    }

    private func refuseNUL(_ sql: String) throws {
        guard !sql.utf8.contains(0) else {
            throw PostgresError(.invalidParameter, "the statement has a NUL character in its text")
        }
    }

    private func run(_ sql: String, _ bound: BoundParameters, _ limit: StatementLimit) async throws
        -> SQLResult
    {
        guard configuration.preparesStatements else {
            // Text, which every type has; without a description nobody knows the types beforehand.
            return try await roundTrip(limit) { $0.sendQuery(sql, bound, binaryResult: false) }
        }
        let key = StatementCache.Key(sql: sql, types: bound.types)
        let isRepeatable = handle.transactionStatus == PQTRANS_IDLE
        do {
            return try await runPrepared(key, bound, limit)
        } catch let error as PostgresError where error.isStaleStatement {
            statements.remove(key)
            // Inside a transaction the error has ended it, and a second try could only fail.
            guard isRepeatable else { throw error }
            return try await runPrepared(key, bound, limit)
        }
    }

    private func runPrepared(
        _ key: StatementCache.Key, _ bound: BoundParameters, _ limit: StatementLimit
    ) async throws -> SQLResult {
        try await deallocateLeftOvers(limit)
        let statement: StatementCache.Statement
        if let known = statements.find(key) {
            statement = known
        } else {
            statement = try await prepare(key, limit)
        }
        return try await roundTrip(limit, columns: statement.columns) {
            $0.sendPrepared(statement.name, bound, binaryResult: statement.columns.isBinary)
        }
    }

    private func prepare(_ key: StatementCache.Key, _ limit: StatementLimit) async throws
        -> StatementCache.Statement
    {
        statements.makeRoom()
        try await deallocateLeftOvers(limit)
        let name = statements.makeName()
        _ = try await roundTrip(limit) { $0.sendPrepare(name, key.sql, types: key.types) }
        statements.prepared(name)
        let description = try await roundTrip(limit) { $0.sendDescribe(name) }
        let columns = SQLColumns(describing: description.columns)
        return statements.insert(key, name: name, columns: columns)
    }

    /// Deallocates the statements that the server has in vain.
    ///
    /// Inside a transaction they wait for its end: a name that somebody has deallocated already would be an
    /// error there.
    private func deallocateLeftOvers(_ limit: StatementLimit) async throws {
        guard handle.transactionStatus == PQTRANS_IDLE else { return }
        for name in statements.leftOvers {
            do {
                _ = try await roundTrip(limit) { $0.sendQuery("deallocate \(name)") }
            } catch let error as PostgresError where error.sqlState == SQLState.invalidStatementName {
                // It is gone, which is what was wanted.
            }
            statements.deallocated(name)
        }
    }
}

extension PostgresError {
    /// The prepared statement is gone or returns something else than when it was prepared; nothing ran.
    fileprivate var isStaleStatement: Bool {
        guard code == .server else { return false }
        return sqlState == SQLState.invalidStatementName || refusesCachedPlan
    }
}
