import Absurd

extension TaskSummary {
    /// The members of a task in all JSON answers.
    var jsonMembers: [(String, JSONOutput)] {
        [
            ("task_id", .string(taskID.description)),
            ("queue", .string(queue)),
            ("task_name", .string(taskName)),
            ("state", .string(state.rawValue)),
            ("attempt", .integer(attempt)),
            ("max_attempts", .optional(maxAttempts.attempts)),
            ("run_id", .optional(runID?.description)),
            ("spawned_at", .string(spawnedAt.machineText)),
            ("started_at", .optional(startedAt)),
            ("ended_at", .optional(endedAt)),
            ("due_at", .optional(dueAt)),
            ("awaited_event", .optional(awaitedEvent)),
            ("worker_id", .optional(workerID)),
            ("claim_expires_at", .optional(claimExpiresAt)),
            ("failure", .optional(failure)),
        ]
    }

    /// The attempt and the limit, as in `2/5`.
    var attemptText: String { "\(attempt)/\(maxAttempts.attempts.map(String.init) ?? "∞")" }

    /// What there is to know beyond the state, in a few words.
    var remark: String {
        switch state {
        case .pending: ""
        case .sleeping:
            switch (awaitedEvent, dueAt) {
            case (let event?, let deadline?): "waits for event '\(event)' until \(deadline.shortText)"
            case (let event?, nil): "waits for event '\(event)'"
            case (nil, let due?): "until \(due.shortText)"
            case (nil, nil): ""
            }
        case .running:
            [workerID.map { "worker \($0)" }, claimExpiresAt.map { "claim until \($0.shortText)" }]
                .compactMap(\.self).joined(separator: ", ")
        case .failed: failure ?? ""
        case .completed, .cancelled: endedAt.map { "at \($0.shortText)" } ?? ""
        }
    }
}
