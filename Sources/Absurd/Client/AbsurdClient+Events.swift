import LibPQ

extension AbsurdClient {
    /// Emits an event in a queue and wakes every task that waits for it.
    ///
    /// The first emission of a name counts; later ones do nothing until cleanup forgets the event. A task that asks
    /// later gets the payload at once. Repeating a call after a lost connection is harmless, so this one does.
    ///
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `invalidArgument`, `unencodable`, `rejected`.
    public func emitEvent(
        _ event: String, _ payload: some Encodable & Sendable, on queue: String = "default"
    ) async throws {
        let text = try encodeDocument(payload, named: "the payload of event '\(event)'")
        try await emitEvent(event, payload: text, on: queue)
    }

    @discardableResult
    package func emitEvent(
        _ event: String, payload: JSONText, on queue: String
    ) async throws -> EmitAnswer {
        try validateQueueName(queue)
        try validateEventName(event)
        return try await translatingErrors(queue: queue) {
            let answer = try await producer.emit(EmitRow(event: event, payload: payload), on: queue)
            try answer.check()
            return answer
        }
    }

    /// Emits an event without payload.
    public func emitEvent(_ event: String, on queue: String = "default") async throws {
        try await emitEvent(event, JSONValue.null, on: queue)
    }
}

/// Sends an idempotent statement again, a few times, after a lost connection or a conflict of locks.
///
/// - Parameter singleRow: Whether the statement carries one row; one with several is not sent again after a conflict
///   of locks, since its rows are better sent one by one.
package func resendingAfterConflict<Result>(
    attempts: Int = 4, singleRow: Bool = true, _ send: () async throws -> Result
) async throws -> Result {
    var pauses = Backoff(base: .milliseconds(5), cap: .milliseconds(500))
    for _ in 1..<max(attempts, 1) {
        do {
            return try await send()
        } catch let error as PostgresError
            where error.isWorthResending && (singleRow || !error.isLockConflict)
        {
            // When cancelled, the next attempt says so.
            try? await Task.sleep(for: pauses.next())
        }
    }
    return try await send()
}

extension PostgresError {
    fileprivate var isWorthResending: Bool {
        code == .connectionLost || code == .commitUnknown || isLockConflict || sqlState == "40001"
    }
}
