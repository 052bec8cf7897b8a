package import LibPQ

/// The calls that execute runs, each one statement on the database.
///
/// A protocol so that tests can stand in for the database; ``PostgresRunStore`` is the only other conformance.
/// Writes go in as arrays and come back as one answer per row, in the same order.
package protocol RunStore: Sendable {
    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun]
    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]]
    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer]
    func checkpoint(_ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool) async throws
        -> [CheckpointAnswer]
    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer]
    /// As ``renew(_:holder:wait:)`` without waiting for locks, and may be cancelled.
    func look(at writes: [RenewWrite], holder: ClaimHolder) async throws -> [RenewAnswer]
    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer]
    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer]
    /// Gives back all runs that are held under the holder's id, but for the known claims; returns how many.
    func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int
    /// Enters a worker into the registry; false when this store has none.
    func register(_ entry: RegistryEntry) async throws -> Bool
    /// Takes a worker out of the registry; false when runs are still held under its id, so that it stays.
    func deregister(_ worker: String) async throws -> Bool
    /// Checks that the database can serve workers of this queue; throws an ``AbsurdError`` that says what to do.
    func checkReadiness(queue: String) async throws
}

extension RunStore {
    package func look(at writes: [RenewWrite], holder: ClaimHolder) async throws -> [RenewAnswer] {
        try await renew(writes, holder: holder, wait: false)
    }
}

/// The claim that a write belongs to.
///
/// A run that is claimed again, also by the same worker, has another token.
package struct ClaimKey: Hashable, Sendable {
    package let run: RunID
    package let token: PostgresTimestamp

    package init(run: RunID, token: PostgresTimestamp) {
        self.run = run
        self.token = token
    }
}

/// Who writes: with the claim key, the whole fence.
package struct ClaimHolder: Hashable, Sendable {
    package let queue: String
    package let worker: String

    package init(queue: String, worker: String) {
        self.queue = queue
        self.worker = worker
    }
}

/// What the registry is told of a worker once.
package struct RegistryEntry: Sendable {
    package var holder: ClaimHolder
    package var version: String
    package var slots: Int
    package var restarts: Int
}

package struct ClaimRequest: Sendable {
    package var holder: ClaimHolder
    /// Whether the holder may claim only while it is in the registry.
    package var isRegistered = false
    /// Whole seconds; 0 is a claim without end.
    package var timeout: Int
    package var limit: Int
    /// Also cancel tasks by their policies and fail runs whose claim has expired.
    package var sweeps = true
    /// Runs that were due before this are not looked for; nil looks for all.
    package var dueFrom: PostgresTimestamp?

    package init(
        holder: ClaimHolder, timeout: Int, limit: Int, sweeps: Bool = true, dueFrom: PostgresTimestamp? = nil
    ) {
        self.holder = holder
        self.timeout = timeout
        self.limit = limit
        self.sweeps = sweeps
        self.dueFrom = dueFrom
    }
}

/// Why a write was not accepted although the database worked.
package enum Refusal: Hashable, Sendable {
    /// The claim is gone: taken over, given back or parked.
    case lost
    /// The task was cancelled.
    case cancelled
    /// The run was failed by somebody else.
    case failed
    /// The row's own data was refused; nothing else of its batch was touched.
    case data(sqlState: String?, message: String?)
    /// Somebody else holds the row's lock, and the call was told not to wait.
    case busy
}

package struct FinishWrite: Sendable {
    package enum Action: Sendable {
        case complete(JSONText)
        case fail(JSONText, retry: TaskFailure.Retry)
        /// Until `due`; with a step, the text is stored as that checkpoint first.
        case sleep(until: Due, checkpoint: (step: String, state: JSONText)?)
        case release
    }
    package enum Due: Sendable { case at(PostgresTimestamp), after(Duration) }

    package let key: ClaimKey
    package let action: Action

    package init(key: ClaimKey, action: Action) {
        self.key = key
        self.action = action
    }

    var isRelease: Bool { if case .release = action { true } else { false } }
}

package enum FinishAnswer: Hashable, Sendable {
    /// Done now, or already done under the same claim; the task's state after it.
    case done(taskState: TaskState)
    case refused(Refusal)
}

package struct CheckpointWrite: Sendable {
    package let key: ClaimKey
    package let step: String
    package let state: JSONText
    /// Whole seconds to renew the claim by when less than two thirds of them are left; nil leaves it alone.
    package let claimTimeout: Int?

    package init(key: ClaimKey, step: String, state: JSONText, claimTimeout: Int?) {
        self.key = key
        self.step = step
        self.state = state
        self.claimTimeout = claimTimeout
    }
}

package enum CheckpointAnswer: Hashable, Sendable {
    case stored
    /// An earlier write of this step was there; its value stays and counts.
    case kept(JSONText?)
    case refused(Refusal)
}

package struct RenewWrite: Sendable {
    package let key: ClaimKey
    /// Whole seconds from the database's now; nil only asks whether the claim still stands.
    package let claimTimeout: Int?

    package init(key: ClaimKey, claimTimeout: Int?) {
        self.key = key
        self.claimTimeout = claimTimeout
    }
}

package enum RenewAnswer: Hashable, Sendable {
    case renewed
    case refused(Refusal)
}

package struct EventWait: Sendable {
    package let key: ClaimKey
    package let step: String
    package let event: String
    /// Nil waits without end.
    package let timeout: Duration?
    /// False only looks: with nothing there the answer is `absent`.
    package let parks: Bool

    package init(key: ClaimKey, step: String, event: String, timeout: Duration?, parks: Bool) {
        self.key = key
        self.step = step
        self.event = event
        self.timeout = timeout
        self.parks = parks
    }
}

package struct TaskWait: Sendable {
    package let key: ClaimKey
    package let step: String
    package let queue: String
    package let task: TaskID
    /// When to look again at the latest, for tasks that are ended by functions that wake nobody.
    package let pollDelay: Duration
    package let parks: Bool

    package init(
        key: ClaimKey, step: String, queue: String, task: TaskID, pollDelay: Duration, parks: Bool
    ) {
        self.key = key
        self.step = step
        self.queue = queue
        self.task = task
        self.pollDelay = pollDelay
        self.parks = parks
    }
}

package enum WaitAnswer: Hashable, Sendable {
    case received(JSONText)
    case timedOut
    case parked
    case absent
    /// The awaited task or its queue does not exist.
    case unknown
    case refused(Refusal)
}
