import LibPQ
package import Logging
import Synchronization

/// The way back to the database for everything that one worker's executions record.
///
/// What concurrent executions write gathers while a statement is under way and leaves with the next one
/// (``BatchLane``); a caller that waits goes on only after its own row is committed. Sends until there is an answer: a lost
/// connection, a restarting server or a lock that somebody holds is nobody's answer. Only a row that takes longer than a
/// statement may is refused in the end. Repeating is harmless, because every write is idempotent under its claim.
package final class RunWriter: Sendable {
    private let store: any RunStore
    private let holder: ClaimHolder
    private let delivery: Delivery
    /// For giving runs back, which a worker tries for as long as its end may take.
    private let releases: Delivery
    private let finishes: WriteLane<FinishWrite, FinishAnswer>
    private let checkpoints: WriteLane<CheckpointWrite, CheckpointAnswer>
    private let renewals: WriteLane<RenewWrite, RenewAnswer>
    private let eventWaits: WriteLane<EventWait, WaitAnswer>
    private let taskWaits: WriteLane<TaskWait, WaitAnswer>

    /// - Parameter afterFinishes: Called when all runs of a statement have got their answers.
    package init(
        store: any RunStore, holder: ClaimHolder, outages: OutageLog, logger: Logger,
        limits: BatchLimits = BatchLimits(), afterFinishes: @escaping @Sendable () -> Void = {}
    ) {
        self.store = store
        self.holder = holder
        let delivery = Delivery(outages: outages, logger: logger)
        self.delivery = delivery
        releases = Delivery(outages: outages, logger: logger, heedsCancellation: true)
        finishes = WriteLane(delivery, limits, afterAnswers: afterFinishes) {
            try await store.finish($0, holder: holder, wait: $1)
        }
        checkpoints = WriteLane(delivery, limits) { try await store.checkpoint($0, holder: holder, wait: $1) }
        renewals = WriteLane(delivery, limits) { try await store.renew($0, holder: holder, wait: $1) }
        eventWaits = WriteLane(delivery, limits) { try await store.awaitEvent($0, holder: holder, wait: $1) }
        taskWaits = WriteLane(delivery, limits) { try await store.awaitTask($0, holder: holder, wait: $1) }
    }

    /// Since when the oldest write that has no answer is under way; nil when there is none.
    package var busySince: ContinuousClock.Instant? {
        [
            finishes.busySince, checkpoints.busySince, renewals.busySince, eventWaits.busySince,
            taskWaits.busySince,
        ].compactMap(\.self).min()
    }

    /// How many writes wait for the common statement of their kind under way to end.
    package var pendingCount: Int {
        finishes.pendingCount + checkpoints.pendingCount + renewals.pendingCount + eventWaits.pendingCount
            + taskWaits.pendingCount
    }

    /// From now on a write that finds no database fails instead of trying again.
    ///
    /// For the end of a worker.
    package func stopRetrying() { delivery.stopRetrying() }

    /// Returns when everything that was to be recorded has its answer, or when the current task is cancelled.
    package func settled() async {
        await finishes.settled()
        await checkpoints.settled()
        await renewals.settled()
        await eventWaits.settled()
        await taskWaits.settled()
    }

    package func finish(_ write: FinishWrite) async throws -> FinishAnswer { try await finishes.send(write) }

    /// The same for a caller who does not wait.
    ///
    /// - Parameter receive: Called on a shared thread, so it must neither block nor take long.
    package func finish(
        _ write: FinishWrite, _ receive: @escaping @Sendable (Result<FinishAnswer, any Error>) -> Void
    ) {
        finishes.post(write, receive)
    }

    /// Gives runs back, in statements of their own beside the lane, until each has an answer or the current task is
    /// cancelled.
    ///
    /// - Returns: An answer for each run, which is that it is busy where a lock was in the way until the end.
    package func release(_ keys: [ClaimKey]) async throws -> [FinishAnswer] {
        try await finishes.sendAll(keys.map { FinishWrite(key: $0, action: .release) }, releases)
    }

    package func checkpoint(_ write: CheckpointWrite) async throws -> CheckpointAnswer {
        try await checkpoints.send(write)
    }

    package func renew(_ write: RenewWrite) async throws -> RenewAnswer { try await renewals.send(write) }

    package func awaitEvent(_ write: EventWait) async throws -> WaitAnswer {
        try await eventWaits.send(write)
    }

    package func awaitTask(_ write: TaskWait) async throws -> WaitAnswer { try await taskWaits.send(write) }

    package func loadCheckpoints(runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        try await delivery.persisting {
            try await self.store.loadCheckpoints(queue: self.holder.queue, runs: runs)
        }
    }
}
