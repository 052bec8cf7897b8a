import Logging
public import ServiceLifecycle
import Synchronization

/// Claims runs of one queue and executes their handlers until it is shut down.
///
/// Graceful shutdown stops claiming at once and lets running handlers go on for ``WorkerOptions/shutdownGrace``.
/// After that, and at once when its task is cancelled, handlers are cancelled and their runs given back with no
/// attempt spent. Usually one of a ``WorkerPool``, which starts it again should it end unexpectedly.
public actor Worker: Service {
    public nonisolated let queue: String
    /// What its ids begin with.
    nonisolated let name: String
    private nonisolated let identity: Mutex<(id: String, isUsed: Bool)>

    package nonisolated let client: AbsurdClient
    nonisolated let store: any RunStore
    nonisolated let handlers: HandlerRegistry
    nonisolated let options: WorkerOptions
    private nonisolated let baseObserver: WorkerObserver
    nonisolated let slotTable: SlotTable
    /// Signalled when a slot is freed, and at the end: what a worker without room waits for.
    nonisolated let room = ChangeSignal()
    nonisolated let outages: OutageLog
    package nonisolated let pulse = WorkerPulse()
    nonisolated let claimTimeout: Int
    /// How often its pool has started it again, and a supervisor its process.
    nonisolated let restarts = Atomic<Int>(WorkerIdentity.processRestarts)

    /// That of the run that is under way.
    private nonisolated let lifecycle = Mutex<WorkerLifecycle?>(nil)

    /// - Parameter handlers: One for each task name. Tasks of other names are put off for others to take.
    /// - Throws: ``AbsurdError`` with the codes `invalidConfiguration`, `duplicateHandler`, `invalidArgument`.
    public init(
        _ client: AbsurdClient, queue: String = "default", handlers: [Handler],
        options: WorkerOptions = WorkerOptions()
    ) throws {
        try self.init(
            client, queue: queue, handlers: handlers, options: options,
            name: options.workerID ?? WorkerIdentity.defaultName, store: PostgresRunStore(pool: client.pool),
            broadcaster: EventBroadcaster(), slots: SlotCount(queue: queue))
    }

    package init(
        _ client: AbsurdClient, queue: String, handlers: [Handler], options: WorkerOptions, name: String,
        store: any RunStore, broadcaster: EventBroadcaster, slots: SlotCount
    ) throws {
        try options.validate()
        self.handlers = try HandlerRegistry(handlers, queue: queue)
        self.client = client
        self.queue = queue
        self.options = options
        self.name = name
        let id = WorkerIdentity.unique(name)
        self.identity = Mutex((id, false))
        self.store = store
        self.claimTimeout = try options.claimTimeout.wholeSeconds("claimTimeout")
        self.slotTable = SlotTable(count: options.concurrency)
        let outages = OutageLog(client.outageLines)
        self.outages = outages
        self.baseObserver = WorkerObserver(
            workerID: id, queue: queue, broadcaster: broadcaster, slots: slots, outages: outages,
            logger: client.logger)
    }

    /// Stored as `claimed_by` with every run that it holds, and its id in the registry.
    ///
    /// Changes when the worker starts again, and when it was taken for dead and goes on.
    public nonisolated var id: String { identity.withLock(\.id) }

    nonisolated var observer: WorkerObserver { baseObserver.naming(id) }

    /// An id under which nobody has registered.
    private func freshID() -> String {
        identity.withLock { identity in
            if identity.isUsed { identity.id = WorkerIdentity.unique(name) }
            identity.isUsed = true
            return identity.id
        }
    }

    /// What this worker executes now, slot by slot.
    public nonisolated var slots: [Slot] { slotTable.slots }

    /// What happens in this worker from now on.
    ///
    /// Each call makes a subscription of its own.
    ///
    /// - Parameter bufferSize: How many events wait for a slow subscriber before the oldest is dropped. Less than 1 counts
    ///   as 1. Defaults to 256.
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
        self.lifecycle.withLock { $0 = lifecycle }
        pulse.enter(.starting)
        defer { pulse.enter(.ended) }
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

    /// Ends ``WorkerOptions/shutdownGrace`` at once, or leaves it out when the shutdown begins.
    ///
    /// Handlers are cancelled and their runs given back with no attempt spent.
    public nonisolated func endGracePeriod() { lifecycle.withLock(\.self)?.endGrace() }

    private func work(_ lifecycle: WorkerLifecycle) async throws {
        guard var session = try await ready(lifecycle) else { return }
        observer.report(.workerStarted)
        defer { observer.report(.workerStopped) }
        while true {
            try await execute(session)
            pulse.enter(.starting)
            guard let next = try await ready(lifecycle) else { return }
            session = next
        }
    }

    private func execute(_ session: WorkerSession) async throws {
        pulse.attach(session.writer)
        defer { pulse.attach(nil) }
        // The client keeps its connections until the runs have been given back.
        let debt = client.debts.owe()
        session.joinRegistry()
        let result = await withTaskGroup(of: Void.self) { group in
            group.addTask { await session.breakOffAtEnd() }
            let result = await executeWatched(session, debt)
            group.cancelAll()
            return result
        }
        debt.pay()
        session.leaveRegistry()
        try result.get()
    }

    private func executeWatched(
        _ session: WorkerSession, _ debt: Debts.Debt
    ) async -> Result<Void, any Error> {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await session.stopWaiting() }
            group.addTask { await session.stopAfterGrace() }
            group.addTask { await session.watchClaims() }
            group.addTask { await session.beat() }
            group.addTask {
                await session.giveBackWhenStopping()
                session.stopExecutingBeside()
                await session.claimedBeside()
                await session.deregister()
                debt.pay()
            }
            group.addTask { await self.client.wakeUps.serve(session.watched) }
            session.startExecutingBeside()
            let result: Result<Void, any Error>
            do {
                try await session.claimAndExecute()
                result = .success(())
            } catch {
                result = .failure(error)
            }
            session.isOver.store(true, ordering: .relaxed)
            session.stopExecutingBeside()
            group.cancelAll()
            return result
        }
    }

    /// Waits until the database can serve this worker, and registers it.
    ///
    /// Nil when it is to stop before that.
    private func ready(_ lifecycle: WorkerLifecycle) async throws -> WorkerSession? {
        var backoff = Backoff(base: options.pollInterval, cap: min(options.maxBackoff, .seconds(1)))
        // One that was taken for dead begins another life.
        while lifecycle.stage == .running || lifecycle.startOver() {
            do {
                guard let session = try await lifecycle.whilePatient({ try await self.enter(lifecycle) })
                else {
                    return nil
                }
                outages.succeeded(observer.logger)
                return session
            } catch let error as AbsurdError where error.isTemporary {
                outages.failed(error, observer.logger)
                let ticket = lifecycle.changes.ticket()
                guard lifecycle.stage == .running else { continue }
                await lifecycle.changed(after: ticket, within: backoff.next())
            }
        }
        return nil
    }

    private func enter(_ lifecycle: WorkerLifecycle) async throws -> WorkerSession {
        try await store.checkReadiness(queue: queue)
        await client.planStatements(of: queue)
        let entry = RegistryEntry(
            holder: ClaimHolder(queue: queue, worker: freshID()),
            version: options.version ?? "swift-absurd \(AbsurdSchema.libraryVersion)",
            slots: options.concurrency, restarts: restarts.load(ordering: .relaxed))
        let isRegistered = try await store.register(entry)
        return WorkerSession(
            worker: self, lifecycle: lifecycle, holder: entry.holder, isRegistered: isRegistered)
    }
}
