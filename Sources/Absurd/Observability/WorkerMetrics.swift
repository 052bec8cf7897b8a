import Metrics

/// The metrics of a worker, labelled with its queue.
///
/// Names and meaning are listed in the documentation.
package struct WorkerMetrics: Sendable {
    private let dimensions: [(String, String)]
    private let claimed: Counter
    private let claimErrors: Counter
    private let slotsInUse: Gauge

    package init(queue: String) {
        dimensions = [("queue", queue)]
        claimed = Counter(label: "absurd.runs.claimed", dimensions: dimensions)
        claimErrors = Counter(label: "absurd.claims.errors", dimensions: dimensions)
        slotsInUse = Gauge(label: "absurd.slots.used", dimensions: dimensions)
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
        case .claimLost(let run): count("lost", run)
        case .cancelled(let run): count("cancelled", run)
        case .workerStarted, .workerStopped, .workerRestarted, .started: break
        }
    }

    package func recordSlots(inUse: Int) { slotsInUse.record(inUse) }

    private func count(_ outcome: String, _ run: RunInfo) {
        Counter(label: "absurd.runs.\(outcome)", dimensions: dimensions + [("task", run.taskName)])
            .increment()
    }

    private func ended(_ outcome: String, _ run: RunInfo, _ duration: Duration) {
        count(outcome, run)
        Timer(
            label: "absurd.run.duration",
            dimensions: dimensions + [("task", run.taskName), ("outcome", outcome)]
        ).recordNanoseconds(duration.wholeMicroseconds * 1000)
    }
}
