/// How often a worker of a pool was started again, and why last.
public struct WorkerRestarts: Sendable, Hashable {
    /// The worker's present id.
    public let workerID: String
    /// Since the pool was started.
    public let count: Int
    /// What ended the worker the last time; nil while it has never been restarted.
    public let lastError: String?
}

extension WorkerRestarts {
    func naming(_ workerID: String) -> WorkerRestarts {
        WorkerRestarts(workerID: workerID, count: count, lastError: lastError)
    }
}

/// Counts restarts and says when they are too many, of workers by the part of their ids that stays.
///
/// A pure value: time is passed in.
package struct RestartLedger: Sendable {
    private let limit: Int
    private let window: Duration
    private var counts: [String: (count: Int, lastError: String)] = [:]
    private var recent: [ContinuousClock.Instant] = []

    package init(limit: Int, window: Duration) {
        self.limit = limit
        self.window = window
    }

    /// Notes that a worker ended unexpectedly and returns how often it has done so.
    ///
    /// Nil when the pool has had more restarts within the window than it may.
    package mutating func record(
        workerID: String, error: String, at now: ContinuousClock.Instant
    ) -> Int? {
        let count = (counts[workerID]?.count ?? 0) + 1
        counts[workerID] = (count, error)
        recent.removeAll { now - $0 >= window }
        recent.append(now)
        return recent.count > limit ? nil : count
    }

    package func restarts(of workerID: String) -> WorkerRestarts {
        WorkerRestarts(
            workerID: workerID, count: counts[workerID]?.count ?? 0, lastError: counts[workerID]?.lastError)
    }
}
