import LibPQ

/// Calls for workers written by hand.
///
/// ``Worker`` makes them for its handlers. Each call after the claim is accepted only while that claim holds;
/// otherwise it throws ``AbsurdError`` with the codes `claimLost`, `taskCancelled` or `runFailed`.
extension AbsurdClient {
    /// Claims up to `limit` due runs of a queue.
    ///
    /// - Parameters:
    ///   - workerID: Stored with the runs. 1 to 200 bytes without NUL.
    ///   - claimTimeout: How long the claims last, in whole seconds, rounded up, at most 2,147,483,647; zero is for ever.
    ///   - limit: From 1 to 10,000.
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `invalidArgument` and those of the connection.
    public func claimRuns(
        on queue: String = "default", workerID: String, claimTimeout: Duration = .seconds(30), limit: Int = 1
    ) async throws -> [ClaimedRun] {
        try validateQueueName(queue)
        try validateWorkerID(workerID)
        guard limit >= 1, limit <= 10_000 else {
            throw AbsurdError.invalidArgument("the limit of a claim must be from 1 to 10000, and is \(limit)")
        }
        let request = ClaimRequest(
            holder: ClaimHolder(queue: queue, worker: workerID),
            timeout: try claimTimeout.wholeSeconds("claimTimeout"), limit: limit)
        return try await translatingErrors(queue: queue) { try await store.claim(request) }
    }

    /// Completes the task with a result.
    public func complete(_ run: ClaimedRun, result: some Encodable & Sendable) async throws {
        let text = try encodeDocument(result, named: "the result of task '\(run.info.taskName)'")
        try await finish(run, .complete(text))
    }

    /// Fails the attempt; `failure.retry` says whether and when there is another.
    ///
    /// - Returns: The task's state then: `pending` or `sleeping` before another attempt, `failed`, or `cancelled`
    ///   when its cancellation policy leaves no time for one.
    @discardableResult
    public func fail(_ run: ClaimedRun, _ failure: TaskFailure) async throws -> TaskState {
        let reason = try encodeDocument(failure.reason, named: "the details of the failure")
        return try await finish(run, .fail(reason, retry: failure.retry))
    }

    /// Puts the run off; no attempt is spent.
    public func schedule(_ run: ClaimedRun, after delay: Duration) async throws {
        let delay = try delay.validated("the delay")
        try await finish(run, .sleep(until: .after(delay), checkpoint: nil))
    }

    /// Gives the run back, due at once; no attempt is spent.
    public func release(_ run: ClaimedRun) async throws {
        try await finish(run, .release)
    }

    /// Keeps the claim for that long from the database's now.
    ///
    /// Never shortens it.
    public func extendClaim(_ run: ClaimedRun, by duration: Duration) async throws {
        let seconds = try duration.wholeSeconds("the extension of a claim")
        guard seconds > 0 else {
            throw AbsurdError.invalidArgument("the extension of a claim must be longer than zero")
        }
        let write = RenewWrite(key: run.key, claimTimeout: seconds)
        let answer = try await low { try await $0.renew([write], holder: run.holder, wait: true)[0] }
        try Self.check(answer.refusal)
    }

    /// Records a step's value, unless it has one.
    ///
    /// - Parameter claimTimeout: Renews the claim by that long at the same time. Nil does not.
    /// - Returns: The value that counts: that of the first write.
    @discardableResult
    public func setCheckpoint(
        _ step: String, of run: ClaimedRun, to value: JSONValue, claimTimeout: Duration? = nil
    ) async throws -> JSONValue {
        let text = try encodeDocument(value, named: "the value of step '\(step)'")
        let write = CheckpointWrite(
            key: run.key, step: step, state: text,
            claimTimeout: try claimTimeout?.wholeSeconds("claimTimeout"))
        let answer = try await low { try await $0.checkpoint([write], holder: run.holder, wait: true)[0] }
        try Self.check(answer.refusal)
        guard case .kept(let stored) = answer else { return value }
        return try stored?.value() ?? .null
    }

    /// All recorded values that the run may see.
    public func checkpoints(of run: ClaimedRun) async throws -> [String: JSONValue] {
        let loaded = try await low {
            try await $0.loadCheckpoints(queue: run.info.queue, runs: [run.info.runID])
        }
        return try (loaded[run.info.runID] ?? [:]).mapValues { try $0?.value() ?? .null }
    }

    /// Asks for an event on behalf of a run, and parks the run if it has not been emitted.
    ///
    /// After `suspended` the run is no longer held; stop working on it.
    public func awaitEvent(
        _ event: String, for run: ClaimedRun, step: String? = nil, timeout: Duration? = nil
    ) async throws -> ReceivedEvent {
        try validateEventName(event)
        let wait = EventWait(
            key: run.key, step: step ?? "$awaitEvent:\(event)", event: event,
            timeout: try timeout?.validated("the timeout of an event"), parks: true)
        switch try await low({ try await $0.awaitEvent([wait], holder: run.holder, wait: true)[0] }) {
        case .received(let payload): return .received(try payload.value())
        case .timedOut: return .timedOut
        case .parked: return .suspended
        case .refused(let refusal): try Self.check(refusal)
        case .absent, .unknown: break
        }
        throw SpawnStatement.wrongAnswer
    }
}

extension AbsurdClient {
    private var store: PostgresRunStore { PostgresRunStore(pool: pool) }

    private func low<Answer>(_ send: (PostgresRunStore) async throws -> Answer) async throws -> Answer {
        try await translatingErrors { try await resendingAfterConflict { try await send(store) } }
    }

    @discardableResult
    private func finish(_ run: ClaimedRun, _ action: FinishWrite.Action) async throws -> TaskState {
        let write = FinishWrite(key: run.key, action: action)
        switch try await low({ try await $0.finish([write], holder: run.holder, wait: true)[0] }) {
        case .done(let state): return state
        case .refused(let refusal): try Self.check(refusal)
        }
        throw SpawnStatement.wrongAnswer
    }

    private static func check(_ refusal: Refusal?) throws {
        switch refusal {
        case nil: return
        case .lost: throw AbsurdError(.claimLost, "the run is held by somebody else or was given up")
        case .cancelled: throw AbsurdError(.taskCancelled, "the task was cancelled", sqlState: "AB001")
        case .failed: throw AbsurdError(.runFailed, "the run was failed by somebody else", sqlState: "AB002")
        case .busy: throw AbsurdError(.timedOut, "another session keeps the run's row locked; try again")
        case .data(let sqlState, let message):
            throw AbsurdError.refused(sqlState: sqlState, serverMessage: message)
        }
    }
}
