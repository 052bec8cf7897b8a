import CLibPQ

/// One request and all its answers: everything that waits for the server.
///
/// Whoever calls this has the connection's turn, so nothing else touches the handle while it waits.
extension PostgresConnection {
    /// How long a statement may take to end after it was asked to.
    private static let cancelGrace: Duration = .seconds(2)

    /// Sends a request and returns its last result.
    ///
    /// - Throws: for the first result that is an error, and when deadline or task end the statement.
    func roundTrip(
        _ limit: StatementLimit, columns: SQLColumns? = nil, _ send: (borrowing ConnectionHandle) -> Bool
    ) async throws -> SQLResult {
        if limit.followsTask, Task.isCancelled {
            throw PostgresError.cancelledBeforeSending("cancelled before the statement was sent")
        }
        condition.sends(limit)
        defer { condition.isAnswered() }
        guard send(handle) else { throw lost(nil) }
        var exchange = Exchange(limit: limit)
        while true {
            switch exchange.advance(handle, columns: columns) {
            case .finished:
                return try conclude(exchange)
            case .wantsCopy:
                discard()
                throw PostgresError(.unsupported, "COPY between server and client is not supported")
            case .mustWait(let interest):
                let wakeup = await readiness.wait(
                    for: interest, on: descriptor, until: exchange.limit.deadline,
                    isCancellable: exchange.limit.followsTask)
                switch wakeup {
                // A broken connection shows in the results that follow.
                case .ready, .woken: _ = handle.consumeInput()
                case .deadlinePassed: try await interrupt(&exchange, .timedOut)
                case .cancelled: try await interrupt(&exchange, .cancelled)
                }
            }
        }
    }

    private func conclude(_ exchange: Exchange) throws -> SQLResult {
        takeNotifications()
        guard handle.isOpen else { throw lost(exchange.failure) }
        condition.transaction(isOpen: handle.transactionStatus != PQTRANS_IDLE)
        if let failure = exchange.failure {
            let error = failure.error(.server)
            guard let interruption = exchange.interruption, error.sqlState == SQLState.queryCanceled else {
                throw error
            }
            throw error.reinterpreted(as: interruption)
        }
        // When the statement ended just before it was asked to, it has taken effect: that is the answer.
        guard let last = exchange.last else { throw lost(nil) }
        return last
    }

    /// Asks the server to cancel the statement, and from then on waits only a little.
    ///
    /// The request must be over before the connection is used again: it cancels whatever runs when it
    /// arrives.
    private func interrupt(_ exchange: inout Exchange, _ reason: PostgresError.Code) async throws {
        let isFirst = exchange.interruption == nil
        let reason = exchange.interruption ?? reason
        let mayAsk = isFirst && exchange.limit.canBeCancelledOnServer
        exchange.interruption = reason
        exchange.limit = StatementLimit(timeout: Self.cancelGrace, followsTask: false)
        if mayAsk, let request = handle.makeCancelRequest() {
            let outcome = await Offload.run(readiness, until: exchange.limit.deadline, isCancellable: false) {
                request.send()
            }
            if case .finished(true) = outcome { return }
        }
        discard()
        throw PostgresError(reason, "the statement did not end in time and its connection was closed")
    }

    /// Closes the connection, which is broken.
    ///
    /// - Parameter failure: what the server said before, if anything.
    private func lost(_ failure: SQLResult?) -> PostgresError {
        let message = handle.errorMessage
        discard()
        if let error = failure?.error(.connectionLost), error.sqlState != nil { return error }
        let firstLine = message.split(whereSeparator: \.isNewline).first.map(String.init)
        return PostgresError(.connectionLost, firstLine ?? "the connection was lost")
    }
}

extension PostgresError {
    /// The server reports each cancelled statement in the same words; this says who asked for it.
    fileprivate func reinterpreted(as code: Code) -> PostgresError {
        var error = self
        error.code = code
        error.message =
            code == .timedOut
            ? "the statement did not end before its deadline and was cancelled"
            : "the statement was cancelled with its task"
        return error
    }
}

/// The states this client acts on.
enum SQLState {
    static let queryCanceled = "57014"
    static let invalidStatementName = "26000"
    static let featureNotSupported = "0A000"
    static let completionUnknown = "40003"
}
