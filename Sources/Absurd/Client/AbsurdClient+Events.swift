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

    package func emitEvent(_ event: String, payload: JSONText, on queue: String) async throws {
        try validateQueueName(queue)
        try validateEventName(event)
        let parameters: [SQLParameter] = [.text(queue), .text(event), .text(payload.text)]
        try await translatingErrors(queue: queue) {
            try await resendingAfterConflict {
                _ = try await pool.query("select absurd.emit_event($1, $2, $3::jsonb)", parameters)
            }
        }
    }

    /// Emits an event without payload.
    public func emitEvent(_ event: String, on queue: String = "default") async throws {
        try await emitEvent(event, JSONValue.null, on: queue)
    }
}

/// Sends an idempotent statement again, a few times, after a lost connection or a deadlock.
package func resendingAfterConflict<Result>(_ send: () async throws -> Result) async throws -> Result {
    for _ in 0..<3 {
        do {
            return try await send()
        } catch let error as PostgresError
            where error.code == .connectionLost || error.isLockConflict || error.sqlState == "40001"
        {
            continue
        }
    }
    return try await send()
}
