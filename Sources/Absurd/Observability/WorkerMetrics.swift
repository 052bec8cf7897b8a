import Metrics
import Synchronization

/// The metrics of a worker, labelled with its queue.
///
/// Names and meaning are listed in the documentation.
package final class WorkerMetrics: Sendable {
    private struct TaskOutcome: Hashable {
        var outcome: String
        var task: String
    }

    private struct State {
        // Made once and kept: finding a metric by its labels costs more than counting.
        var counters: [TaskOutcome: Counter] = [:]
        var timers: [TaskOutcome: Timer] = [:]
    }

    private let dimensions: [(String, String)]
    private let claimed: Counter
    private let claimErrors: Counter
    private let state = Mutex(State())

    package init(queue: String) {
        dimensions = [("queue", queue)]
        claimed = Counter(label: "absurd.runs.claimed", dimensions: dimensions)
        claimErrors = Counter(label: "absurd.claims.errors", dimensions: dimensions)
    }

    package func record(_ event: WorkerEvent.Kind) {
        switch event {
        case .claimed(let count): claimed.increment(by: count)
        case .claimFailed: claimErrors.increment()
        case .completed(let run, let duration): ended("completed", run, duration)
        case .failed(let run, _, _, let duration): ended("failed", run, duration)
        case .suspended(let run, let duration): ended("suspended", run, duration)
        case .deferred(let run, _): count("deferred", run)
        case .released(let run): count("released", run)
        case .claimLapsed(let run): count("lapsed", run)
        case .claimLost(let run): count("lost", run)
        case .cancelled(let run): count("cancelled", run)
        case .workerStarted, .workerStopped, .workerRestarted, .started: break
        }
    }

    private func count(_ outcome: String, _ run: RunInfo) {
        let key = TaskOutcome(outcome: outcome, task: run.taskName)
        let counter = state.withLock { state in
            if let known = state.counters[key] { return known }
            let made = Counter(
                label: "absurd.runs.\(outcome)", dimensions: dimensions + [("task", run.taskName)])
            // Names of tasks come from the database; those without end are not kept.
            if state.counters.count < Self.kept { state.counters[key] = made }
            return made
        }
        counter.increment()
    }

    private func ended(_ outcome: String, _ run: RunInfo, _ duration: Duration) {
        count(outcome, run)
        let key = TaskOutcome(outcome: outcome, task: run.taskName)
        let timer = state.withLock { state in
            if let known = state.timers[key] { return known }
            let made = Timer(
                label: "absurd.run.duration",
                dimensions: dimensions + [("task", run.taskName), ("outcome", outcome)])
            if state.timers.count < Self.kept { state.timers[key] = made }
            return made
        }
        timer.recordNanoseconds(duration.wholeMicroseconds * 1000)
    }

    private static let kept = 10_000
}

/// How many slots the workers of a pool use together, as a gauge.
package final class SlotCount: Sendable {
    private let gauge: Gauge
    private let count = Mutex(0)

    package init(queue: String) {
        gauge = Gauge(label: "absurd.slots.used", dimensions: [("queue", queue)])
    }

    package func change(by difference: Int) {
        count.withLock { count in
            count += difference
            // In the lock, so that the last value recorded is the last there was.
            gauge.record(count)
        }
    }
}
