package import LibPQ

/// A run that a worker holds until its claim ends.
///
/// Workers handle these themselves; a program that claims by hand passes one back to the calls that complete,
/// fail, extend or park it. Every such call is refused once the claim is gone, also when the same worker has
/// claimed the run again.
public struct ClaimedRun: Sendable {
    public let info: RunInfo
    /// The parameters as JSON text, untouched.
    package let params: JSONText
    /// The event that the run waited for until its deadline passed; nil when the event came.
    public let wakeEvent: String?
    /// The payload that woke the run; nil when nothing was delivered, JSON `null` when that was the payload.
    package let eventPayload: JSONText?
    package let retryStrategyText: JSONText?
    package let token: PostgresTimestamp
    /// When the run was due.
    package let due: PostgresTimestamp?
    /// Whether the task had been started before, so that it may have checkpoints.
    public let isResumed: Bool
    /// When the answer of the claim arrived here.
    package let receivedAt: ContinuousClock.Instant

    package init(
        info: RunInfo, params: JSONText, wakeEvent: String? = nil, eventPayload: JSONText? = nil,
        retryStrategy: JSONText? = nil, token: PostgresTimestamp, due: PostgresTimestamp? = nil,
        isResumed: Bool,
        receivedAt: ContinuousClock.Instant = .now
    ) {
        self.info = info
        self.params = params
        self.wakeEvent = wakeEvent
        self.eventPayload = eventPayload
        self.retryStrategyText = retryStrategy
        self.token = token
        self.due = due
        self.isResumed = isResumed
        self.receivedAt = receivedAt
    }

    /// The parameters of the task.
    ///
    /// - Throws: ``AbsurdError`` with the code `undecodable`.
    public func params<Value: Decodable>(as type: Value.Type) throws -> Value {
        do {
            return try params.decode(as: type)
        } catch let error as DecodingError {
            throw AbsurdError(
                .undecodable,
                "the parameters of task '\(info.taskName)' do not decode as \(type): \(describe(error))")
        }
    }

    /// The payload of the event that woke the run.
    ///
    /// Nil when none did. An event without payload has JSON `null`. The payload stays with the run until it waits
    /// for another event; it is recorded under the step of the wait, too.
    ///
    /// - Throws: ``AbsurdError`` with the code `undecodable`.
    public func eventPayload<Value: Decodable>(as type: Value.Type) throws -> Value? {
        do {
            return try eventPayload?.decode(as: type)
        } catch let error as DecodingError {
            throw AbsurdError(
                .undecodable,
                "the payload of the event that woke task '\(info.taskName)' does not decode as \(type): "
                    + describe(error))
        }
    }

    /// The strategy of the task's retries as it is stored, with the keys that all SDKs share: `kind`,
    /// `base_seconds`, `factor`, `max_seconds`.
    ///
    /// Nil when the task has none.
    ///
    /// - Throws: ``AbsurdError`` with the code `undecodable`.
    public var retryStrategy: JSONValue? {
        get throws {
            do {
                return try retryStrategyText?.value()
            } catch let error as DecodingError {
                throw AbsurdError(
                    .undecodable,
                    "the retry strategy of task '\(info.taskName)' cannot be read: \(describe(error))")
            }
        }
    }

    package var key: ClaimKey { ClaimKey(run: info.runID, token: token) }
    package var holder: ClaimHolder { ClaimHolder(queue: info.queue, worker: info.workerID) }

    /// The database's time, as far as it can be told here: that of the claim plus what has passed since.
    ///
    /// It lags by the time that the claim's answer took to arrive, so a sleep never ends early by it.
    package var databaseNow: PostgresTimestamp { token + (ContinuousClock.now - receivedAt) }
}
