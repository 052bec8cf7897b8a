import Foundation

/// What a queue is to do, as plain values.
///
/// Times are microseconds of the fake clock.
struct QueueModel {
    struct Run {
        /// Nil until the database has told which id it gave to a retry.
        var id: UUID?
        var attempt: Int
        var state = "pending"
        var worker: String?
        var expires: Int64?
        var availableAt: Int64?
        var wakeEvent: String?
        var payload: String?
        /// The time of the latest claim, and its token.
        var started: Int64?
        var completed: Int64?
        var failed: Int64?
        var result: String?
        var reason: String?

        var isOpen: Bool { ["pending", "sleeping", "running"].contains(state) }
    }

    struct Task {
        var id: UUID
        var state = "pending"
        var maxAttempts: Int?
        var retryDelay: Int?
        var key: Int?
        var firstStarted: Int64?
        var cancelled: Int64?
        var result: String?
        var runs: [Run]
        var steps: [String: Step] = [:]

        var hasEnded: Bool { ["completed", "failed", "cancelled"].contains(state) }
    }

    struct Step {
        var value: String
        /// The number of the run that recorded it: another one of the same task sees what its claim may see.
        var owner: Int
    }

    struct Wait {
        var step: String
        var event: String
        var deadline: Int64?
    }

    /// A claim that somebody has or had: a run and its token.
    struct Claim {
        var task: Int
        var run: Int
        var worker: String
        var token: Int64
    }

    struct RunKey: Hashable {
        var task: Int
        var run: Int
    }

    struct ResultWait: Hashable {
        var child: Int
        var run: RunKey
    }

    var now: Int64
    var tasks: [Task] = []
    var claims: [Claim] = []
    /// Nil is a placeholder of somebody who waits.
    var events: [String: String?] = [:]
    var waits: [RunKey: [Wait]] = [:]
    var resultWaits: [ResultWait: Int64] = [:]

    subscript(_ key: RunKey) -> Run {
        get { tasks[key.task].runs[key.run] }
        set { tasks[key.task].runs[key.run] = newValue }
    }

    /// The run of a claim, if the claim still holds it.
    func held(_ claim: Claim) -> RunKey? {
        let run = tasks[claim.task].runs[claim.run]
        guard run.state == "running", run.worker == claim.worker, run.started == claim.token else {
            return nil
        }
        return RunKey(task: claim.task, run: claim.run)
    }

    /// What a write under a claim that is gone is told.
    func verdict(_ claim: Claim) -> String {
        let task = tasks[claim.task]
        let run = task.runs[claim.run]
        if task.state == "cancelled" || run.state == "cancelled" { return "cancelled" }
        return run.state == "failed" ? "failed" : "lost"
    }

    /// Whether the run was parked under that claim and nobody has claimed it since.
    func isParked(_ claim: Claim) -> Bool {
        let run = tasks[claim.task].runs[claim.run]
        return ["pending", "sleeping"].contains(run.state) && run.started == claim.token
    }
}

// MARK: - Consequences

extension QueueModel {
    mutating func failRun(_ key: RunKey, reason: String, isFinal: Bool, delay: Int?) {
        self[key].state = "failed"
        self[key].failed = now
        self[key].wakeEvent = nil
        self[key].reason = reason
        waits[key] = nil
        let attempt = self[key].attempt
        let task = tasks[key.task]
        guard !isFinal, task.maxAttempts.map({ attempt < $0 }) ?? true else {
            tasks[key.task].state = "failed"
            return
        }
        let due = now + Int64(delay ?? task.retryDelay ?? 0) * 1_000_000
        let state = due > now ? "sleeping" : "pending"
        tasks[key.task].state = state
        tasks[key.task].runs.append(Run(attempt: attempt + 1, state: state, availableAt: due))
    }

    /// Wakes what waited for the tasks that ended, and forgets what the runs had registered.
    mutating func wakeResultWaits(ended: [Int], runs: [RunKey]) {
        resultWaits = resultWaits.filter { !runs.contains($0.key.run) }
        for (wait, token) in resultWaits where ended.contains(wait.child) {
            resultWaits[wait] = nil
            let run = self[wait.run]
            guard run.state == "sleeping", run.started == token, run.wakeEvent == nil,
                tasks[wait.run.task].state == "sleeping"
            else { continue }
            self[wait.run].state = "pending"
            self[wait.run].availableAt = now
            tasks[wait.run.task].state = "pending"
        }
    }

    /// The first value counts.
    mutating func record(_ step: String, _ value: String, _ key: RunKey) {
        guard tasks[key.task].steps[step] == nil else { return }
        tasks[key.task].steps[step] = Step(value: value, owner: key.run)
    }

    mutating func park(_ key: RunKey, state: String, until due: Int64?, wakeEvent: String?) {
        self[key].state = state
        self[key].worker = nil
        self[key].expires = nil
        self[key].availableAt = due
        self[key].wakeEvent = wakeEvent
        tasks[key.task].state = state
    }

    mutating func renew(_ key: RunKey, by seconds: Int?) {
        guard let seconds, let expires = self[key].expires, expires < now + Int64(seconds) * 2_000_000 / 3
        else {
            return
        }
        self[key].expires = max(expires, now + Int64(seconds) * 1_000_000)
    }
}

// MARK: - What the tables show

extension QueueModel {
    /// The same lines that ``ModelDatabase/snapshot()`` reads, sorted.
    var lines: [String] {
        var lines: [String] = []
        func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "" }
        func id(_ key: RunKey) -> String { text(self[key].id?.uuidString.lowercased()) }
        for (index, task) in tasks.enumerated() {
            let taskID = task.id.uuidString.lowercased()
            lines.append(
                "t \(taskID) \(task.state) attempts=\(task.runs.count) max=\(text(task.maxAttempts))"
                    + " last=\(id(RunKey(task: index, run: task.runs.count - 1))) first=\(text(task.firstStarted))"
                    + " cancelled=\(text(task.cancelled)) result=\(text(task.result)) key=\(text(task.key.map { "k\($0)" }))"
            )
            for (number, run) in task.runs.enumerated() {
                lines.append(
                    "r \(taskID) \(run.attempt) \(id(RunKey(task: index, run: number))) \(run.state)"
                        + " by=\(text(run.worker)) expires=\(text(run.expires))"
                        + " at=\(run.availableAt.map { "\($0)" } ?? "infinity") wake=\(text(run.wakeEvent))"
                        + " payload=\(text(run.payload)) started=\(text(run.started))"
                        + " completed=\(text(run.completed)) failed=\(text(run.failed))"
                        + " result=\(text(run.result)) reason=\(text(run.reason))")
            }
            lines += task.steps.map { name, step in
                "c \(taskID) \(name)=\(step.value) of \(id(RunKey(task: index, run: step.owner)))"
            }
        }
        lines += events.map { "e \($0.key)=\(text($0.value))" }
        for (key, list) in waits {
            lines += list.map { "w \(id(key)) \($0.step) \($0.event) \(text($0.deadline))" }
        }
        lines += resultWaits.map {
            "p \(tasks[$0.key.child].id.uuidString.lowercased()) \(id($0.key.run)) \($0.value)"
        }
        return lines.sorted()
    }
}
