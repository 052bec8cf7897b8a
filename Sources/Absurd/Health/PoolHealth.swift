/// How a ``WorkerPool`` stands, from what its parts have noted down anyway.
///
/// For HTTP probes: ``isLive`` for a liveness probe, whose failure restarts the process, and ``isReady`` for a readiness
/// probe.
public struct PoolHealth: Sendable {
    public enum Status: Sendable, Hashable {
        /// The loops turn, and claim nothing yet or any more: the pool starts or shuts down.
        case live
        /// The database answers, and all workers claim in time or have no room.
        case ready
        /// Something is wrong; there may be more in ``PoolHealth/problems``.
        case degraded(HealthProblem)
    }

    public let queue: String
    /// What is wrong, the gravest first.
    public let problems: [HealthProblem]
    /// Whether the pool runs and its loops turn.
    ///
    /// A database that is away leaves it true, since starting again would not bring it back.
    public let isLive: Bool
    public let workers: [WorkerHealth]

    package init(queue: String, problems: [HealthProblem], isLive: Bool, workers: [WorkerHealth]) {
        self.queue = queue
        self.problems = problems
        self.isLive = isLive
        self.workers = workers
    }

    public var status: Status {
        if let problem = problems.first { return .degraded(problem) }
        return isLive && workers.allSatisfy(\.phase.isAtWork) ? .ready : .live
    }

    public var isReady: Bool { status == .ready }
}

/// One worker of a pool.
public struct WorkerHealth: Sendable, Hashable {
    /// What a worker's claim loop is doing.
    public enum Phase: String, Sendable, Hashable {
        case notStarted = "not started"
        /// Waits until the database can serve it.
        case starting
        case claiming
        /// Loads the recorded steps of what it has claimed.
        case loading
        /// There is nothing to claim.
        case idle
        /// All slots are taken.
        case full
        /// A claim has failed; waits before the next one.
        case pausing
        /// Claims no more; its handlers finish.
        case draining
        case ended
        /// Has ended unexpectedly and is started again.
        case restarting

        package var isAtWork: Bool {
            switch self {
            case .claiming, .loading, .idle, .full, .pausing: true
            case .notStarted, .starting, .draining, .ended, .restarting: false
            }
        }
    }

    public let id: String
    public let phase: Phase
    /// How long it has been in that phase.
    public let duration: Duration
    public let slotsUsed: Int
    public let slotCount: Int
    /// How often it was started again.
    public let restarts: Int

    package init(
        id: String, phase: Phase, duration: Duration, slotsUsed: Int, slotCount: Int, restarts: Int
    ) {
        self.id = id
        self.phase = phase
        self.duration = duration
        self.slotsUsed = slotsUsed
        self.slotCount = slotCount
        self.restarts = restarts
    }
}

/// Something that keeps a pool from working as it should.
public struct HealthProblem: Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, for code that branches on it; in order of gravity.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The pool's `run()` has not begun, or has ended.
        case notRunning = "not_running"
        /// The threads that all Swift tasks share do not get to the pool's: something blocks them.
        case threadsBlocked = "threads_blocked"
        /// The threads on which all handlers execute do not get to some: others keep them.
        case handlersBlocked = "handlers_blocked"
        /// A claim, or the loading of recorded steps, gets no answer, or none but refusals.
        case claimBlocked = "claim_blocked"
        /// Idle workers are not asked to claim.
        case wakeUpsBlocked = "wake_ups_blocked"
        /// What handlers have recorded does not get to the database.
        case writerBlocked = "writer_blocked"
        /// Callers wait for a connection, and all are in use.
        case connectionsExhausted = "connections_exhausted"
        /// The database does not answer.
        case databaseUnreachable = "database_unreachable"
        /// The database answers and refuses what workers ask.
        case databaseRefuses = "database_refuses"
        /// A worker has ended unexpectedly and is started again.
        case workerRestarting = "worker_restarting"
    }

    public let code: Code
    /// What is wrong, in one line without stored data.
    public let message: String
    /// Nil when it concerns the whole pool.
    public let workerID: String?

    package init(_ code: Code, _ message: String, workerID: String? = nil) {
        self.code = code
        self.message = message
        self.workerID = workerID
    }

    public var description: String { message }
}
