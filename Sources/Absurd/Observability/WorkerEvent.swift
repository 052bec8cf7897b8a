/// Something that happened in a worker, for listeners in the same process.
///
/// Events are for watching, not for acting on: a subscriber that falls behind loses some, and nobody learns what
/// other processes do. What must not be missed belongs into tasks.
public struct WorkerEvent: Sendable {
    public enum Kind: Sendable {
        case workerStarted
        case workerStopped
        /// The worker ended unexpectedly and starts again; `count` restarts so far.
        case workerRestarted(count: Int, error: String)
        /// The database answered a claim with that many runs, at least one.
        case claimed(count: Int)
        /// Claiming failed; the next try comes after `retryIn`.
        case claimFailed(error: String, retryIn: Duration)
        /// A handler starts executing the run.
        case started(RunInfo)
        case completed(RunInfo, duration: Duration)
        /// The attempt failed; `isFinal` when no other follows.
        case failed(RunInfo, TaskFailure, isFinal: Bool, duration: Duration)
        /// The run is parked until a time, an event or a result.
        case suspended(RunInfo, duration: Duration)
        /// No handler for the task's name here; the run was put off, its attempt unspent.
        case deferred(RunInfo, delay: Duration)
        /// The run was given back at shutdown, its attempt unspent.
        case released(RunInfo)
        /// The claim has run out, because the handler neither recorded a step nor sent a heartbeat for a whole claim
        /// timeout: from now on another worker may take the run over.
        case claimLapsed(RunInfo)
        /// The claim was gone before the handler ended; whatever it returned was dropped.
        case claimLost(RunInfo)
        /// The task was cancelled while its handler was executing.
        case cancelled(RunInfo)
    }

    public let workerID: String
    public let queue: String
    public let time: ContinuousClock.Instant
    public let kind: Kind

    package init(workerID: String, queue: String, time: ContinuousClock.Instant, kind: Kind) {
        self.workerID = workerID
        self.queue = queue
        self.time = time
        self.kind = kind
    }
}
