import CLibPQ
import Logging

extension PostgresConnection {
    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// Cancelling the task cancels the statement of `body` that is running, never the COMMIT or ROLLBACK.
    /// Transactions do not nest.
    ///
    /// - Throws: what `body` throws; `transactionFailed` when the server rolled back although `body`
    ///   returned; `commitUnknown` when the answer to the COMMIT did not come, so that the transaction may
    ///   have been committed or not.
    package nonisolated(nonsending) func withTransaction<Result>(
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await begin()
        let result: Result
        do {
            result = try await body(self)
        } catch {
            await rollback()
            throw error
        }
        try await commit()
        return result
    }

    private func begin() async throws {
        try await withTurn(isCancellable: true) { connection in
            guard connection.handle.transactionStatus == PQTRANS_IDLE else {
                throw PostgresError(.transactionFailed, "the connection is in a transaction already")
            }
            _ = try await connection.roundTrip(
                StatementLimit(timeout: connection.configuration.statementTimeout)
            ) {
                $0.sendQuery("begin")
            }
        }
    }

    private func commit() async throws {
        try await withTurn(isCancellable: false) { connection in
            do {
                let result = try await connection.roundTrip(connection.uninterrupted) {
                    $0.sendQuery("commit")
                }
                guard result.commandTag == "COMMIT" else {
                    throw PostgresError(
                        .transactionFailed,
                        "the server rolled back: a statement of the transaction had failed")
                }
            } catch let error as PostgresError where error.leavesCommitUnknown {
                connection.discard()
                throw PostgresError(
                    .commitUnknown, "no answer to the COMMIT: the transaction may be committed or not",
                    underlying: error)
            }
        }
    }

    /// A rollback that fails leaves the connection in doubt, and closing it rolls back too.
    private func rollback() async {
        do {
            try await withTurn(isCancellable: false) { connection in
                guard connection.handle.transactionStatus != PQTRANS_IDLE else { return }
                do {
                    _ = try await connection.roundTrip(connection.uninterrupted) { $0.sendQuery("rollback") }
                } catch {
                    connection.discard()
                    throw error
                }
            }
        } catch {
            logger.debug("rollback failed, connection closed", metadata: ["error": "\(error)"])
        }
    }

    private var uninterrupted: StatementLimit {
        StatementLimit(
            timeout: configuration.statementTimeout, followsTask: false, canBeCancelledOnServer: false)
    }
}

extension PostgresError {
    /// Whether a COMMIT that ended with this may have taken effect.
    ///
    /// An ordinary error, such as a deferred constraint's, means that it did not. A fatal one can come after
    /// the commit, for instance while the server waits for a standby.
    fileprivate var leavesCommitUnknown: Bool {
        switch code {
        case .server: sqlState == SQLState.completionUnknown || sqlState?.hasPrefix("08") == true
        case .transactionFailed: false
        default: true
        }
    }
}
