import Logging
public import ServiceLifecycle
import Synchronization

/// Claims runs of one queue and executes their handlers until it is shut down.
///
/// Graceful shutdown stops claiming at once and lets running handlers go on for ``WorkerOptions/shutdownGrace``.
/// After that, and at once when its task is cancelled, handlers are cancelled and their runs given back with no
/// attempt spent. Usually one of a ``WorkerPool``, which starts it again should it end unexpectedly.
public actor Worker: Service {
    /// Stored as `claimed_by` with every run that it holds.
    public nonisolated let id: String
    public nonisolated let queue: String

    package nonisolated let client: AbsurdClient
    nonisolated let store: any RunStore
    nonisolated let handlers: HandlerRegistry
    nonisolated let options: WorkerOptions
    nonisolated let observer: WorkerObserver
    nonisolated let slotTable: SlotTable
    nonisolated let outages = OutageLog()
    nonisolated let claimTimeout: Int

    /// - Parameter handlers: One for each task name. Tasks of other names are put off for others to take.
    /// - Throws: ``AbsurdError`` with the codes `invalidConfiguration`, `duplicateHandler`, `invalidArgument`.
    public init(
        _ client: AbsurdClient, queue: String = "default", handlers: [Handler],
        options: WorkerOptions = WorkerOptions()
    ) throws {
        try self.init(
            client, queue: queue, handlers: handlers, options: options,
            id: options.workerID ?? WorkerIdentity.unique(), store: PostgresRunStore(pool: client.pool),
            broadcaster: EventBroadcaster(), slots: SlotCount(queue: queue))
    }

    package init(
        _ client: AbsurdClient, queue: String, handlers: [Handler], options: WorkerOptions, id: String,
        store: any RunStore, broadcaster: EventBroadcaster, slots: SlotCount
    ) throws {
        try options.validate()
        self.handlers = try HandlerRegistry(handlers, queue: queue)
        self.client = client
        self.queue = queue
        self.options = options
        self.id = id
        self.store = store
        self.claimTimeout = try options.claimTimeout.wholeSeconds("claimTimeout")
        self.slotTable = SlotTable(count: options.concurrency)
        self.observer = WorkerObserver(
            workerID: id, queue: queue, broadcaster: broadcaster, slots: slots, logger: client.logger)
    }

    /// What this worker executes now, slot by slot.
    public nonisolated var slots: [Slot] { slotTable.slots }

    /// What happens in this worker from now on.
    ///
    /// Each call makes a subscription of its own.
    ///
    /// - Parameter bufferSize: How many events wait for a slow subscriber before the oldest is dropped.
    public nonisolated func events(bufferSize: Int = 256) -> WorkerEvents {
        observer.broadcaster.subscribe(bufferSize: bufferSize)
    }

    /// Works until shut down or cancelled.
    ///
    /// A database that does not answer is waited for, with growing pauses.
    ///
    /// - Throws: ``AbsurdError`` when the database answers but cannot serve this worker: `authenticationFailed`,
    ///   `databaseMissing`, `schemaMissing`, `schemaOutdated`, `queueMissing`, `privilegeMissing`.
    public func run() async throws {
        let lifecycle = WorkerLifecycle()
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                // Cancelling this task must not cancel the handlers by itself: first their executions are marked as
                // stopped, so that what a cancelled handler does then is not taken for a failure.
                try await finishingDespiteCancellation { try await self.work(lifecycle) }
            } onCancel: {
                lifecycle.advance(to: .stopping)
            }
        } onGracefulShutdown: {
            lifecycle.advance(to: .draining)
        }
    }

    private func work(_ lifecycle: WorkerLifecycle) async throws {
        guard try await waitUntilReady(lifecycle) else { return }
        observer.report(.workerStarted)
        let session = WorkerSession(worker: self, lifecycle: lifecycle)
        // The client keeps its connections until the runs have been given back.
        let debt = client.debts.owe()
        let result: Result<Void, any Error> = await withTaskGroup(of: Void.self) { group in
            group.addTask { await session.stopWaiting() }
            group.addTask { await session.stopAfterGrace() }
            group.addTask { await session.watchClaims() }
            group.addTask {
                await session.giveBackWhenStopping()
                debt.pay()
                await session.logWhoStillRuns()
            }
            group.addTask { await self.client.wakeUps.serve(session.watched) }
            let result: Result<Void, any Error>
            do {
                try await session.claimAndExecute()
                result = .success(())
            } catch {
                result = .failure(error)
            }
            group.cancelAll()
            return result
        }
        debt.pay()
        observer.report(.workerStopped)
        try result.get()
    }

    /// Waits until the database can serve this worker.
    ///
    /// False when it is to stop before that.
    private func waitUntilReady(_ lifecycle: WorkerLifecycle) async throws -> Bool {
        var backoff = Backoff(base: options.pollInterval, cap: min(options.maxBackoff, .seconds(3)))
        while lifecycle.stage == .running {
            do {
                try await store.checkReadiness(queue: queue)
                await client.planStatements(of: queue)
                outages.succeeded(observer.logger)
                return true
            } catch let error as AbsurdError where error.code.isTemporary {
                outages.failed(error, observer.logger)
                let ticket = lifecycle.changes.ticket()
                guard lifecycle.stage == .running else { break }
                await lifecycle.changed(after: ticket, within: backoff.next())
            }
        }
        return false
    }
}

extension AbsurdError.Code {
    /// Whether waiting may help: the database is out of reach, rather than not what it should be.
    package var isTemporary: Bool { [.connectionFailed, .connectionLost, .timedOut].contains(self) }
}
