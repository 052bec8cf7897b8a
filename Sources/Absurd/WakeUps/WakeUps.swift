package import LibPQ
package import Logging
import Synchronization

/// Everything by which a client learns of changes without asking: one connection that listens, a watch for each queue
/// that workers serve, and one for results.
package final class WakeUps: Sendable {
    package struct Watched: Sendable {
        package let watch: QueueWatch
        package let loop: SharedLoop
    }

    package let listener: Listener
    package let results: ResultWatch
    package let resultLoop: SharedLoop
    /// Nil when the client is not to listen.
    package let listenerLoop: SharedLoop?
    private let fallbackInterval: Duration
    private let logger: Logger
    private let queues = Mutex<[String: Watched]>([:])

    package init(
        pool: PostgresPool, _ configuration: PostgresConfiguration, listens: Bool, fallbackInterval: Duration,
        logger: Logger
    ) {
        let listener = Listener(configuration: configuration, logger: logger)
        let results = ResultWatch(pool: pool, listener: listener, fallbackInterval: fallbackInterval)
        self.listener = listener
        self.results = results
        resultLoop = SharedLoop { await results.run() }
        self.fallbackInterval = fallbackInterval
        self.logger = logger
        listenerLoop =
            listens ? SharedLoop(body: { await listener.run() }, whenUnused: { await listener.close() }) : nil
    }

    /// The watch of a queue, made at the first call.
    package func watched(_ queue: String) -> Watched {
        queues.withLock { queues in
            if let known = queues[queue] { return known }
            let watch = QueueWatch(
                queue: queue, listener: listener, fallbackInterval: fallbackInterval, logger: logger)
            let made = Watched(watch: watch, loop: SharedLoop { await watch.run() })
            queues[queue] = made
            return made
        }
    }

    /// Tells the client's own idle workers of a queue, if it has any, that it has spawned a task into that.
    package func spawned(into queue: String) {
        queues.withLock { $0[queue] }?.watch.spawnedHere()
    }

    /// Keeps a slot of an idle worker of the client's own for a run of a queue that a statement is about to make due.
    package func reserveSlot(on queue: String, for taskName: String?) -> SlotReservation? {
        queues.withLock { $0[queue] }?.watch.reserveSlot(for: taskName)
    }

    /// Keeps the watch of a queue going until the current task is cancelled.
    package func serve(_ watched: Watched) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await watched.loop.lend() }
            if let listenerLoop { group.addTask { await listenerLoop.lend() } }
        }
    }
}
