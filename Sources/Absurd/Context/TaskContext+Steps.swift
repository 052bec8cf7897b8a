import Tracing

extension TaskContext {
    /// Runs `body` once and records its value; later executions get the recorded value.
    ///
    /// `body` runs again only if the worker died, or lost its claim, after it ran and before its value was recorded:
    /// at least once, recorded once. If another execution recorded a value first, that value is returned. An error
    /// thrown by `body` is not recorded; uncaught, it fails the attempt.
    ///
    /// - Throws: What `body` throws; ``ExecutionEnded``; ``AbsurdError`` with the codes `unencodable`,
    ///   `undecodable` (the recorded value does not fit the type), `rejected` (the database refused the value) or
    ///   `invalidArgument` (a step inside a step, or one name in two concurrent parts of the handler).
    @discardableResult
    public func step<Value: Codable & Sendable>(
        _ name: String, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await step(name, codec: .codable, body)
    }

    /// Runs `body` once and records that it ran.
    public func step(_ name: String, _ body: @Sendable () async throws -> Void) async throws {
        try await step(name, codec: .void, body)
    }

    private func step<Value: Sendable>(
        _ name: String, codec: OutputCodec<Value>, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        switch try await admit(name, holdsRun: true) {
        case .known(let checkpoint, let state):
            return try decode(state ?? .null, of: checkpoint, codec)
        case .proceed(let checkpoint):
            return try await holding {
                let value = try await withSpan("step \(name)") { span in
                    span.attributes["absurd.step"] = checkpoint
                    return try await Self.$currentStep.withValue(checkpoint) { try await body() }
                }
                return try await record(value, as: checkpoint, codec)
            }
        }
    }

    /// Starts a step whose value is computed in the open rather than in a closure.
    ///
    /// Unlike a step with a body, an open step does not hold back a suspension of the run.
    ///
    /// - Throws: ``ExecutionEnded``; ``AbsurdError`` with the codes `undecodable` (the recorded value does not fit the
    ///   type) or `invalidArgument` (an empty name, a call inside a step, or one name in two concurrent parts of the
    ///   handler).
    public func beginStep<Value: Codable & Sendable>(
        _ name: String, as type: Value.Type = Value.self
    ) async throws -> OpenStep<Value> {
        switch try await admit(name) {
        case .known(let checkpoint, let state):
            let value: Value = try decode(state ?? .null, of: checkpoint, .codable)
            return OpenStep(checkpoint: checkpoint, recorded: value)
        case .proceed(let checkpoint):
            return OpenStep(checkpoint: checkpoint, recorded: nil)
        }
    }

    /// Records the value of a step, unless it has one, and returns the value that counts.
    ///
    /// - Throws: ``ExecutionEnded``; ``AbsurdError`` with the codes `unencodable`, `rejected` (the database refused the
    ///   value) or `undecodable` (another execution recorded a value first, and it does not fit the type).
    @discardableResult
    public func completeStep<Value: Codable & Sendable>(
        _ step: OpenStep<Value>, _ value: Value
    ) async throws -> Value {
        if let recorded = step.recorded { return recorded }
        try await admitUnnamed(holdsRun: true)
        return try await holding { try await record(value, as: step.checkpoint, .codable) }
    }
}

/// A step between ``TaskContext/beginStep(_:as:)`` and ``TaskContext/completeStep(_:_:)``.
public struct OpenStep<Value: Codable & Sendable>: Sendable {
    /// The name under which the value is stored: numbered when the step's name was used before.
    public let checkpoint: String
    /// The value that an earlier execution recorded; nil when there is work to do.
    public let recorded: Value?
}

extension TaskContext {
    private func record<Value: Sendable>(
        _ value: Value, as checkpoint: String, _ codec: OutputCodec<Value>
    ) async throws -> Value {
        let state: JSONText
        do {
            state = try codec.encode(value)
        } catch let error as EncodingError {
            throw AbsurdError(
                .unencodable, "the value of step '\(checkpoint)' has no JSON form: \(Value.self)",
                serverMessage: String(describing: error))
        }
        let kept = try await store(state, as: checkpoint)
        guard let kept else { return value }
        return try decode(kept, of: checkpoint, codec)
    }

    /// Stores a checkpoint.
    ///
    /// Returns nil, or the value that was there first.
    package func store(_ state: JSONText, as checkpoint: String) async throws -> JSONText? {
        let write = CheckpointWrite(
            key: run.key, step: checkpoint, state: state, claimTimeout: claimSeconds > 0 ? claimSeconds : nil)
        let start = ContinuousClock.now
        let answer = try await self.write { try await $0.checkpoint(write) }
        renewed(by: claimSeconds, sentAt: start)
        if case .kept(let stored) = answer {
            cached(checkpoint, stored)
            return stored ?? .null
        }
        cached(checkpoint, state)
        return nil
    }

    package func decode<Value: Sendable>(
        _ state: JSONText, of checkpoint: String, _ codec: OutputCodec<Value>
    ) throws -> Value {
        do {
            return try codec.decode(state)
        } catch let error as DecodingError {
            throw AbsurdError(
                .undecodable,
                "the recorded value of '\(checkpoint)' does not decode as \(Value.self): \(describe(error))")
        }
    }
}
