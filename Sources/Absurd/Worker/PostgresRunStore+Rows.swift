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

extension ClaimedRun {
    init(_ row: SQLRow, holder: ClaimHolder) throws {
        let headers = try row.decode("headers", as: String?.self).map(JSONText.init)
        self.init(
            info: RunInfo(
                taskID: TaskID(try row.decode("task_id")), runID: RunID(try row.decode("run_id")),
                taskName: try row.decode("task_name"), queue: holder.queue,
                attempt: Int(try row.decode("attempt", as: Int32.self)),
                maxAttempts: try row.decode("max_attempts", as: Int32?.self).map(Int.init),
                workerID: holder.worker, headers: Self.object(headers)),
            params: JSONText(try row.decode("params")), wakeEvent: try row.decode("wake_event"),
            eventPayload: try row.decode("event_payload", as: String?.self).map(JSONText.init),
            retryStrategy: try row.decode("retry_strategy", as: String?.self).map(JSONText.init),
            token: try row.decode("token"), due: try row.decode("due"), isResumed: try row.decode("resumed"))
    }

    /// Headers that are no object, which only foreign producers can store, count as none.
    private static func object(_ text: JSONText?) -> [String: JSONValue] {
        guard let text, text != .null, case .object(let members)? = try? text.value() else { return [:] }
        return members
    }
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
