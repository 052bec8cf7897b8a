public import ServiceLifecycle
import Synchronization

/// Several supervised workers of one queue, run as one service beside the rest of the program.
///
/// A worker that ends unexpectedly is started again after a growing pause while the others go on. More than
/// ``WorkerOptions/maxRestarts`` restarts within ``WorkerOptions/restartWindow`` end the pool with an error.
public final class WorkerPool: Service {
    public let queue: String
    public let workers: [Worker]
    let client: AbsurdClient
    let options: WorkerOptions
    let heart = Heart()
    private let broadcaster = EventBroadcaster()
    private let ledger: Mutex<RestartLedger>

    /// - Parameter handlers: One for each task name; shared by all workers.
    /// - Throws: ``AbsurdError`` with the codes `invalidConfiguration`, `duplicateHandler`, `invalidArgument`.
    public convenience init(
        _ client: AbsurdClient, queue: String = "default", handlers: [Handler],
        options: WorkerOptions = WorkerOptions()
    ) throws {
        try self.init(
            client, queue: queue, handlers: handlers, options: options,
            store: PostgresRunStore(pool: client.pool))
    }

    package init(
        _ client: AbsurdClient, queue: String, handlers: [Handler], options: WorkerOptions,
        store: any RunStore
    ) throws {
        try options.validate()
        self.client = client
        self.queue = queue
        self.options = options
        self.ledger = Mutex(RestartLedger(limit: options.maxRestarts, window: options.restartWindow))
        let base = options.workerID ?? WorkerIdentity.defaultName
        let broadcaster = self.broadcaster
        let slots = SlotCount(queue: queue)
        self.workers = try (1...options.workers).map { number in
            try Worker(
                client, queue: queue, handlers: handlers, options: options,
                name: options.workers == 1 ? base : "\(base)-\(number)", store: store,
                broadcaster: broadcaster,
                slots: slots)
        }
    }

    /// Works until shut down or cancelled.
    ///
    /// - Throws: ``AbsurdError``: `restartLimit`, or what ``Worker/run()`` throws when the database cannot serve
    ///   workers of this queue.
    public func run() async throws {
        defer { broadcaster.finish() }
        try await heart.beating { try await self.superviseAll() }
    }

    private func superviseAll() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers {
                group.addTask { try await self.supervise(worker) }
            }
            // The first error leaves the group, which cancels the other workers; they give their runs back.
            for try await _ in group {}
        }
    }

    /// Ends ``WorkerOptions/shutdownGrace`` of all workers at once, or leaves it out when the shutdown begins.
    ///
    /// Handlers are cancelled and their runs given back with no attempt spent. ``SecondSignal`` calls this for a user
    /// who does not want to wait.
    public func endGracePeriod() {
        for worker in workers { worker.endGracePeriod() }
    }

    /// How often each worker was started again.
    public var restarts: [WorkerRestarts] {
        ledger.withLock { ledger in workers.map { ledger.restarts(of: $0.name).naming($0.id) } }
    }

    /// The workers that were started again more than `limit` times.
    public func restarts(above limit: Int) -> [WorkerRestarts] { restarts.filter { $0.count > limit } }

    /// What happens in all workers from now on, until ``run()`` returns.
    ///
    /// Each call makes a subscription of its own.
    ///
    /// - Parameter bufferSize: How many events wait for a slow subscriber before the oldest is dropped. Less than 1 counts
    ///   as 1. Defaults to 256.
    public func events(bufferSize: Int = 256) -> WorkerEvents {
        broadcaster.subscribe(bufferSize: bufferSize)
    }
}

extension WorkerPool {
    private func supervise(_ worker: Worker) async throws {
        var backoff = Backoff(base: .milliseconds(100), cap: .seconds(10))
        while true {
            let start = ContinuousClock.now
            do {
                return try await worker.run()
            } catch let error as AbsurdError where error.code.needsOperator {
                throw error
            } catch {
                if Task.isCancelled || Task.isShuttingDownGracefully { return }
                // A worker that has worked for a while starts afresh, not with the pauses of earlier trouble.
                if ContinuousClock.now - start > options.restartWindow { backoff.reset() }
                try noteRestart(of: worker, after: error)
                worker.pulse.enter(.restarting)
                guard await isRested(for: backoff.next()) else { return }
            }
        }
    }

    /// False when the end came first.
    private func isRested(for pause: Duration) async -> Bool {
        (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }) != nil
    }

    private func noteRestart(of worker: Worker, after error: any Error) throws {
        let text = String(describing: error)
        let count = ledger.withLock { $0.record(workerID: worker.name, error: text, at: .now) }
        guard let count else {
            throw AbsurdError(
                .restartLimit,
                "the workers of queue '\(queue)' were restarted more than \(options.maxRestarts) times within "
                    + "\(options.restartWindow); the last error was: \(text)")
        }
        worker.restarts.add(1, ordering: .relaxed)
        worker.observer.report(.workerRestarted(count: count, error: text))
    }
}

extension AbsurdError.Code {
    /// Whether only a change of the database or the configuration can help, so that starting again cannot.
    package var needsOperator: Bool {
        [
            .authenticationFailed, .databaseMissing, .schemaMissing, .schemaOutdated, .queueMissing,
            .privilegeMissing, .invalidConfiguration,
        ].contains(self)
    }
}
