import LibPQ

/// One ``FinishWrite`` as the columns of `absurd_swift.finish`.
struct FinishColumns {
    var action: String
    var payload: String?
    var step: String?
    var wakeAt: PostgresTimestamp?
    var delay: Double?

    init(_ write: FinishWrite) {
        switch write.action {
        case .complete(let result):
            action = "complete"
            payload = result.text
        case .fail(let reason, let retry):
            action = "fail"
            payload = reason.text
            switch retry.kind {
            case .strategy: break
            case .never: action = "fail_final"
            case .after(let delay): self.delay = delay.inSeconds
            case .at(let time): wakeAt = time
            }
        case .sleep(let due, let checkpoint):
            action = "sleep"
            payload = checkpoint?.state.text
            step = checkpoint?.step
            switch due {
            case .at(let time): wakeAt = time
            case .after(let delay): self.delay = delay.inSeconds
            }
        case .release:
            action = "release"
        }
    }
}

extension FinishWrite {
    /// The results that complete the runs, when that is all that is to be done.
    static func results(of writes: [FinishWrite]) -> [String?]? {
        var results: [String?] = []
        results.reserveCapacity(writes.count)
        for write in writes {
            guard case .complete(let result) = write.action else { return nil }
            results.append(result.text)
        }
        return results
    }
}

extension FinishAnswer {
    /// - Parameter row: The answer, the task's state, SQLSTATE and message.
    init(_ answer: String, _ row: SQLRow) throws {
        switch answer {
        case "done", "repeated":
            guard let state = TaskState(rawValue: try row.text(1)) else { throw SpawnStatement.wrongAnswer }
            self = .done(taskState: state)
        default: self = .refused(try Refusal(answer, row))
        }
    }
}

/// The columns of `absurd_swift.claim` that a worker reads, in the order of its statement.
///
/// By position, because a look for a name costs as much as the value itself.
enum ClaimColumn: Int {
    case runID, taskID, attempt, taskName, params, retryStrategy, maxAttempts, headers, wakeEvent,
        eventPayload
    case token, due, resumed

    static let names =
        "run_id, task_id, attempt, task_name, params, retry_strategy, max_attempts, headers, wake_event, "
        + "event_payload, token, due, resumed"
}

extension ClaimedRun {
    /// A row of ``ClaimColumn``.
    init(_ row: SQLRow, holder: ClaimHolder, receivedAt: ContinuousClock.Instant) throws {
        func json(_ column: ClaimColumn) throws -> JSONText? {
            try row.textOrNull(column.rawValue).map(JSONText.init)
        }
        self.init(
            info: RunInfo(
                taskID: TaskID(try row.uuid(ClaimColumn.taskID.rawValue)),
                runID: RunID(try row.uuid(ClaimColumn.runID.rawValue)),
                taskName: try row.text(ClaimColumn.taskName.rawValue), queue: holder.queue,
                attempt: Int(try row.int32(ClaimColumn.attempt.rawValue)),
                maxAttempts: try row.int32OrNull(ClaimColumn.maxAttempts.rawValue).map(Int.init),
                workerID: holder.worker, headers: Self.object(try json(.headers))),
            params: JSONText(try row.text(ClaimColumn.params.rawValue)),
            wakeEvent: try row.textOrNull(ClaimColumn.wakeEvent.rawValue),
            eventPayload: try json(.eventPayload), retryStrategy: try json(.retryStrategy),
            token: try row.timestamp(ClaimColumn.token.rawValue),
            due: try row.timestampOrNull(ClaimColumn.due.rawValue),
            isResumed: try row.bool(ClaimColumn.resumed.rawValue), receivedAt: receivedAt)
    }

    /// Headers that are no object, which only foreign producers can store, count as none.
    private static func object(_ text: JSONText?) -> [String: JSONValue] {
        guard let text, text != .null, case .object(let members)? = try? text.value() else { return [:] }
        return members
    }
}

/// A checkpoint as a run sees it, from the columns `step` and `state`.
struct LoadedCheckpoint {
    let step: String
    let state: JSONText?

    init(_ row: SQLRow) throws {
        step = try row.decode("step")
        state = try row.decode("state", as: String?.self).map(JSONText.init)
    }

    /// What it counts of an answer's page.
    var bytes: Int64 { Int64(step.utf8.count + (state?.text.utf8.count ?? 0)) }
}

extension Refusal {
    init(_ answer: String, _ row: SQLRow?) throws {
        switch answer {
        case "lost": self = .lost
        case "cancelled": self = .cancelled
        case "failed": self = .failed
        case "busy": self = .busy
        case "refused":
            self = .data(
                sqlState: try row?.decode("sqlstate", as: String?.self),
                message: try row?.decode("message", as: String?.self))
        default: throw SpawnStatement.wrongAnswer
        }
    }
}

extension WaitAnswer {
    init(_ answer: String, _ row: SQLRow) throws {
        switch answer {
        case "received": self = .received(JSONText(try row.decode("payload", as: String?.self) ?? "null"))
        case "timed_out": self = .timedOut
        case "parked": self = .parked
        case "absent": self = .absent
        case "unknown": self = .unknown
        default: self = .refused(try Refusal(answer, row))
        }
    }
}
