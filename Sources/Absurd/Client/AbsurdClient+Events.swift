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
