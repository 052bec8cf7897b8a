import Absurd

extension TaskDetail {
    /// The task for people: what it is, and then what happened to it, in order.
    var text: String {
        (facts + [""] + timeline).joined(separator: "\n")
    }

    private var facts: [String] {
        var facts: [(String, String)] = [
            ("task", summary.taskID.description),
            ("name", summary.taskName.printable),
            ("queue", summary.queue.printable),
            ("state", summary.state.rawValue),
            (
                "attempt",
                "\(summary.attempt) of \(summary.maxAttempts.attempts.map(String.init) ?? "unlimited")"
            ),
            ("params", params.excerpt),
        ]
        let documents = [("headers", headers), ("retry", retryStrategy), ("cancellation", cancellation)]
        for case (let name, let document?) in documents { facts.append((name, document.excerpt)) }
        if let idempotencyKey { facts.append(("idempotency key", idempotencyKey.printable)) }
        if let result { facts.append(("result", result.excerpt)) }
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { name, value in name + String(repeating: " ", count: width - name.count + 2) + value
        }
    }

    private var timeline: [String] {
        var lines = Timeline(self).entries.map { "\($0.time.text)  \($0.text)" }
        if hasMoreRuns || hasMoreSteps {
            lines.insert("(older attempts or steps are left out)", at: 0)
        }
        return lines + present.map { "now                       \($0)" }
    }

    /// What goes on at the moment.
    private var present: [String] {
        switch summary.state {
        case .pending: return ["due since \((summary.dueAt ?? summary.spawnedAt).text), waits for a worker"]
        case .running:
            let holder = summary.workerID.map { " at worker \($0.printable)" } ?? ""
            let end = summary.claimExpiresAt.map { ", claimed until \($0.text)" } ?? ""
            return ["attempt \(summary.attempt) runs\(holder)\(end)"]
        case .sleeping where waits.isEmpty:
            let isRetry = summary.attempt > 1 && runs.last?.startedAt == nil
            let subject = isRetry ? "attempt \(summary.attempt) is due" : "sleeps until"
            return [summary.dueAt.map { "\(subject) \($0.text)" } ?? "sleeps"]
        case .sleeping: return waits.map(\.text)
        case .completed, .failed, .cancelled: return []
        }
    }
}

extension WaitDetail {
    fileprivate var text: String {
        switch subject {
        case .event(let name):
            let step = step.map { " in step \($0.printable)" } ?? ""
            return "waits for event '\(name.printable)'\(step)" + (deadline.map { " until \($0.text)" } ?? "")
        case .task(let id, let queue):
            return "waits for task \(id) of queue '\(queue.printable)'"
        }
    }
}

extension StoredDocument {
    /// One line for people.
    var excerpt: String {
        let length = 200
        guard text.count > length || !isWhole else { return text.printable }
        return "\(text.printable.shortened(to: length)) (\(byteCount) bytes, in full with --json)"
    }
}
