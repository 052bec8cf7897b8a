package import LibPQ
import Logging
import Synchronization

/// Waits for tasks to end, for all callers of one client together.
///
/// Whoever ends a task through `absurd_swift` notifies those that registered for it. Workers of other SDKs tell
/// nobody; so all open tasks are asked about now and then, in one statement for each queue.
package final class ResultWatch: Sendable {
    struct Key: Hashable, Sendable {
        var queue: String
        var task: TaskID
    }

    package enum Turn: Sendable {
        case ended(TaskSnapshot)
        case failed(any Error)
        case timedOut(TaskState?)
        case cancelled
    }

    struct Entry: Sendable {
        var seats: [Seat<Turn>] = []
        let since = ContinuousClock.now
        /// What the task's state was at the last look; nil before the first.
        var state: TaskState?
    }

    struct State {
        var entries: [Key: Entry] = [:]
        /// To be looked at now.
        var due: Set<Key> = []
        /// To be looked at in a moment: somebody is just changing these tasks.
        var locked: Set<Key> = []
        var lockedUntil: ContinuousClock.Instant?
        var nextRound = ContinuousClock.now
        /// The session in which all open tasks are registered.
        var session: Int?
    }

    let channel: String
    let pool: PostgresPool
    let listener: Listener
    let state = Mutex(State())
    /// Whether the role may register for results; if not, it asks as if nothing told it.
    let mayRegister = Atomic<Bool>(true)
    let changes = ChangeSignal()

    /// How often open tasks are asked about although their end would be notified.
    let fallbackInterval: Duration

    package init(pool: PostgresPool, listener: Listener, fallbackInterval: Duration) {
        self.pool = pool
        self.listener = listener
        self.fallbackInterval = fallbackInterval
        self.channel = "result:\(String(UInt64.random(in: .min ... .max), radix: 16))"
        listener.handle(channel) { [weak self] payload in self?.notified(payload) }
        listener.observe { [weak self] in self?.changes.signal() }
    }

    private func notified(_ payload: String) {
        guard let task = TaskID(payload) else { return }
        state.withLock { state in
            for key in state.entries.keys where key.task == task { state.due.insert(key) }
        }
        changes.signal()
    }

    /// Waits until a task has ended.
    ///
    /// The caller's task lends itself to the loops behind this, so it works without a service that runs.
    package func outcome(
        of task: TaskID, on queue: String, timeout: Duration?, loop: SharedLoop, listenerLoop: SharedLoop?
    ) async -> Turn {
        let key = Key(queue: queue, task: task)
        let seat = Seat<Turn>()
        add(seat, for: key)
        defer { remove(seat, of: key) }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { await loop.lend() }
            if let listenerLoop { group.addTask { await listenerLoop.lend() } }
            if let timeout {
                group.addTask {
                    guard (try? await Task.sleep(for: timeout)) != nil else { return }
                    seat.give(.timedOut(self.state.withLock { $0.entries[key]?.state }))
                }
            }
            let turn = await withTaskCancellationHandler {
                await seat.turn()
            } onCancel: {
                seat.give(.cancelled)
            }
            group.cancelAll()
            return turn
        }
    }

    private func add(_ seat: Seat<Turn>, for key: Key) {
        state.withLock { state in
            state.entries[key, default: Entry()].seats.append(seat)
            state.due.insert(key)
        }
        changes.signal()
    }

    private func remove(_ seat: Seat<Turn>, of key: Key) {
        state.withLock { state in
            state.entries[key]?.seats.removeAll { $0 === seat }
            guard state.entries[key]?.seats.isEmpty ?? false else { return }
            state.entries[key] = nil
            state.due.remove(key)
            state.locked.remove(key)
        }
    }
}
