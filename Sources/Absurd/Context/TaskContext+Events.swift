/// What ``TaskContext/receiveEvent(_:name:timeout:)`` found.
public enum ReceivedEvent: Sendable, Hashable {
    /// The event has been emitted; JSON `null` when it has no payload.
    case received(JSONValue)
    /// The deadline passed without the event.
    case timedOut
    /// The run is parked until the event comes or the deadline passes. Return ``HandlerResult/suspend``.
    case suspended
}

/// Thrown by ``TaskContext/awaitEvent(_:as:name:timeout:)`` when its deadline passed without the event.
public struct EventTimeout: Error, Hashable, Sendable, CustomStringConvertible {
    public let event: String
    public var description: String { "event '\(event)' did not come in time" }
}

extension TaskContext {
    /// Waits for an event of this queue and returns its payload; suspends the run while it has not been emitted.
    ///
    /// The payload is recorded, so a handler that runs again gets it at once. A timeout is recorded for the attempt: a
    /// handler that is suspended again later is told of it again at once, whatever has come since, and the next attempt
    /// waits anew. An event that comes after the deadline, but before the run was claimed again, is delivered.
    ///
    /// - Parameters:
    ///   - name: The name of the record. Defaults to `$awaitEvent:` and the event's name.
    ///   - timeout: From zero to 10,000 years. Nil waits for ever. Zero looks and does not wait, and is not recorded.
    /// - Throws: ``EventTimeout``; ``ExecutionEnded`` when the run was suspended; ``AbsurdError`` with the codes
    ///   `undecodable` when the payload does not fit the type, and `invalidArgument` (an empty name, a timeout out of its
    ///   limits, or a call inside a step).
    public func awaitEvent<Payload: Codable & Sendable>(
        _ event: String, as type: Payload.Type = Payload.self, name: String? = nil, timeout: Duration? = nil
    ) async throws -> Payload {
        let text = try await payload(of: event, name: name, timeout: timeout)
        do {
            return try text.decode(as: type)
        } catch let error as DecodingError {
            throw AbsurdError(
                .undecodable, "the payload of event '\(event)' does not decode as \(type): \(describe(error))"
            )
        }
    }

    /// Waits for an event of this queue whose payload does not matter.
    ///
    /// - Throws: As ``awaitEvent(_:as:name:timeout:)``, but for `undecodable`.
    public func awaitEvent(_ event: String, name: String? = nil, timeout: Duration? = nil) async throws {
        _ = try await payload(of: event, name: name, timeout: timeout)
    }

    /// The same wait for handlers that say their outcome by a value: it answers instead of throwing.
    ///
    /// - Throws: ``ExecutionEnded`` when the execution has ended otherwise than by a suspension; ``AbsurdError`` with the
    ///   code `invalidArgument` (an empty name, a timeout out of its limits, or a call inside a step).
    public func receiveEvent(
        _ event: String, name: String? = nil, timeout: Duration? = nil
    ) async throws -> ReceivedEvent {
        do {
            return .received(try await payload(of: event, name: name, timeout: timeout).value())
        } catch is EventTimeout {
            return .timedOut
        } catch let ended as ExecutionEnded where ended.reason == .suspended {
            return .suspended
        }
    }

    private func payload(of event: String, name: String?, timeout: Duration?) async throws -> JSONText {
        try validateEventName(event)
        let timeout = try timeout?.validated("the timeout of an event")
        switch try await admit(name ?? "$awaitEvent:\(event)") {
        case .known(_, let state):
            return state ?? .null
        case .proceed(let checkpoint):
            let passed = passedDeadline(of: checkpoint)
            if timeout != nil, recorded(passed) != nil { throw EventTimeout(event: event) }
            let key = run.key
            let answer = try await lookThenPark(waits: timeout != .zero) { writer, parks in
                let wait = EventWait(key: key, step: checkpoint, event: event, timeout: timeout, parks: parks)
                return try await writer.awaitEvent(wait)
            }
            if answer == .timedOut { try await recordTimeout(as: passed) }
            guard case .received(let payload) = answer else { throw EventTimeout(event: event) }
            cached(checkpoint, payload)
            return payload
        }
    }

    /// The name under which it is recorded that a wait's deadline has passed in this attempt.
    ///
    /// Beside the wait's own name, which other SDKs read as the payload.
    private func passedDeadline(of checkpoint: String) -> String { "$timeout:\(attempt):\(checkpoint)" }

    /// Else a handler with two waits whose deadlines pass would never end: the second suspends it, and the first, made again,
    /// suspends it again.
    private func recordTimeout(as name: String) async throws {
        do {
            _ = try await inFlight { try await store(JSONText("true"), as: name) }
        } catch let error as AbsurdError where error.code == .rejected {
            // The name is longer than that of the wait, which was as long as can be.
        }
    }

    /// Emits an event in this queue, or in another one.
    ///
    /// The first emission of a name counts, later ones do nothing.
    ///
    /// May be called inside a step. Repeating it when the handler runs again is harmless. Unlike a step, which waits for the
    /// database as long as that takes, it fails when the database is away for longer than 30 seconds.
    ///
    /// - Throws: ``ExecutionEnded``; ``AbsurdError`` with the codes `queueMissing`, `invalidArgument`, `unencodable`,
    ///   `rejected`, `timedOut` and those of the connection.
    public func emitEvent(
        _ event: String, _ payload: some Encodable & Sendable, on queue: String? = nil
    ) async throws {
        try await admitUnnamed()
        try await client.emitEvent(event, payload, on: queue ?? self.queue)
    }

    /// Emits an event without payload.
    ///
    /// - Throws: As ``emitEvent(_:_:on:)``.
    public func emitEvent(_ event: String, on queue: String? = nil) async throws {
        try await emitEvent(event, JSONValue.null, on: queue)
    }
}
