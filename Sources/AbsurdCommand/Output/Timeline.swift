import Absurd
import Foundation

/// What happened to a task, in the order in which it happened, as far as the tables keep it.
struct Timeline {
    struct Entry {
        let time: Date
        let text: String
    }

    let entries: [Entry]

    init(_ task: TaskDetail) {
        var entries = [Entry(time: task.summary.spawnedAt, text: "spawned")]
        for run in task.runs {
            let steps = task.steps.filter { $0.runID == run.runID }
            entries += Self.beginning(of: run, steps: steps, in: task)
            entries += steps.map(Self.entry)
            entries += Self.end(of: run)
        }
        let known = Set(task.runs.map(\.runID))
        entries += task.steps.filter { $0.runID.map(known.contains) != true }.map(Self.entry)
        entries += Self.end(of: task.summary)
        // Entries of one instant stay in the order in which they were made, which is that of their causes.
        self.entries = entries.enumerated().sorted { left, right in
            (left.element.time, left.offset) < (right.element.time, right.offset)
        }.map(\.element)
    }

    /// The first claim and the latest, which is all that is kept of a run's claims.
    private static func beginning(of run: RunDetail, steps: [StepDetail], in task: TaskDetail) -> [Entry] {
        guard let claimed = run.startedAt else { return [] }
        let worker = run.workerID.map { " by worker \($0.printable)" } ?? ""
        var first: Date?
        if run.attempt == 1, let started = task.summary.startedAt, started < claimed { first = started }
        let isResumed = first != nil || steps.contains { $0.recordedAt < claimed }
        let latest = Entry(
            time: claimed, text: "attempt \(run.attempt) \(isResumed ? "resumed" : "started")\(worker)")
        return (first.map { [Entry(time: $0, text: "attempt \(run.attempt) started")] } ?? []) + [latest]
    }

    private static func entry(_ step: StepDetail) -> Entry {
        let value = step.value?.excerpt ?? "(no value)"
        return Entry(time: step.recordedAt, text: "  step \(step.name.printable): \(value)")
    }

    private static func end(of run: RunDetail) -> [Entry] {
        if let completed = run.completedAt {
            return [Entry(time: completed, text: "attempt \(run.attempt) completed")]
        }
        guard let failed = run.failedAt else { return [] }
        let failure = run.failure.map { failure in
            // A document that is too long or too deep to be read is shown as it is.
            (try? failure.value()).map { TaskFailure(reason: $0).description.printable.shortened(to: 500) }
                ?? failure.excerpt
        }
        return [Entry(time: failed, text: "attempt \(run.attempt) failed: \(failure ?? "no reason given")")]
    }

    private static func end(of task: TaskSummary) -> [Entry] {
        guard let time = task.endedAt else { return [] }
        switch task.state {
        case .failed: return [Entry(time: time, text: "task failed for good")]
        case .cancelled: return [Entry(time: time, text: "task cancelled")]
        default: return [Entry(time: time, text: "task completed")]
        }
    }
}
