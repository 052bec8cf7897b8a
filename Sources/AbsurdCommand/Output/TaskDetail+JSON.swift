import Absurd

extension TaskDetail {
    var json: JSONOutput {
        let attempts = Dictionary(
            runs.map { ($0.runID, $0.attempt) }, uniquingKeysWith: { first, _ in first })
        return .object(
            summary.jsonMembers + [
                ("params", .optional(params)),
                ("headers", .optional(headers)),
                ("retry_strategy", .optional(retryStrategy)),
                ("cancellation", .optional(cancellation)),
                ("idempotency_key", .optional(idempotencyKey)),
                ("result", .optional(result)),
                ("runs", .array(runs.map(\.json))),
                ("steps", .array(steps.map { $0.json(attempt: $0.runID.flatMap { attempts[$0] }) })),
                ("waits", .array(waits.map(\.json))),
                ("has_more_runs", .bool(hasMoreRuns)),
                ("has_more_steps", .bool(hasMoreSteps)),
            ])
    }
}

extension RunDetail {
    fileprivate var json: JSONOutput {
        .object([
            ("run_id", .string(runID.description)),
            ("attempt", .integer(attempt)),
            ("state", .string(state.rawValue)),
            ("worker_id", .optional(workerID)),
            ("created_at", .string(createdAt.machineText)),
            ("due_at", .optional(dueAt)),
            ("started_at", .optional(startedAt)),
            ("claim_expires_at", .optional(claimExpiresAt)),
            ("completed_at", .optional(completedAt)),
            ("failed_at", .optional(failedAt)),
            ("awaited_event", .optional(awaitedEvent)),
            ("failure", .optional(failure)),
        ])
    }
}

extension StepDetail {
    fileprivate func json(attempt: Int?) -> JSONOutput {
        .object([
            ("step", .string(name)),
            ("value", .optional(value)),
            ("run_id", .optional(runID?.description)),
            ("attempt", .optional(attempt)),
            ("recorded_at", .string(recordedAt.machineText)),
        ])
    }
}

extension WaitDetail {
    fileprivate var json: JSONOutput {
        var event: String?
        var task: (id: TaskID, queue: String)?
        switch subject {
        case .event(let name): event = name
        case .task(let id, let queue): task = (id, queue)
        }
        return .object([
            ("event", .optional(event)),
            ("task_id", .optional(task?.id.description)),
            ("task_queue", .optional(task?.queue)),
            ("run_id", .string(runID.description)),
            ("step", .optional(step)),
            ("since", .optional(since)),
            ("deadline", .optional(deadline)),
        ])
    }
}

extension JSONOutput {
    /// A document that was fetched as a whole, with its own text.
    fileprivate static func optional(_ document: StoredDocument?) -> JSONOutput {
        document.map { .document($0.text) } ?? .null
    }
}
