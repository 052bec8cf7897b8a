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
        var seats: [ObjectIdentifier: Seat<Turn>] = [:]
        let since = ContinuousClock.now
        /// What the task's state was at the last look; nil before the first.
        var state: TaskState?
    }

    struct State {
        private(set) var entries: [Key: Entry] = [:]
        /// The queues in which somebody waits for a task of that id; one as a rule.
        private var queues: [TaskID: Set<String>] = [:]
        /// To be looked at now.
        var due: Set<Key> = []
        /// To be looked at in a moment: somebody is just changing these tasks.
        var locked: Set<Key> = []
        var lockedUntil: ContinuousClock.Instant?
        var nextRound = ContinuousClock.now
        /// The session in which all open tasks are registered.
        var session: Int?

        mutating func add(_ seat: Seat<Turn>, for key: Key) {
            entries[key, default: Entry()].seats[ObjectIdentifier(seat)] = seat
            queues[key.task, default: []].insert(key.queue)
            due.insert(key)
        }

        mutating func remove(_ seat: Seat<Turn>, of key: Key) {
            entries[key]?.seats[ObjectIdentifier(seat)] = nil
            if entries[key]?.seats.isEmpty ?? false { removeEntry(key) }
        }

        /// Returns the seats of those who waited.
        @discardableResult
        mutating func removeEntry(_ key: Key) -> [Seat<Turn>] {
            queues[key.task]?.remove(key.queue)
            if queues[key.task]?.isEmpty ?? false { queues[key.task] = nil }
            due.remove(key)
            locked.remove(key)
            return entries.removeValue(forKey: key).map { Array($0.seats.values) } ?? []
        }

        mutating func found(_ key: Key, in state: TaskState) { entries[key]?.state = state }

        /// Has what waits for a task of that id looked at.
        mutating func notified(_ task: TaskID) {
            for queue in queues[task] ?? [] { due.insert(Key(queue: queue, task: task)) }
        }
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
        state.withLock { $0.notified(task) }
        changes.signal()
    }

    /// How many tasks somebody waits for.
    package var openCount: Int { state.withLock(\.entries.count) }

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
        state.withLock { $0.add(seat, for: key) }
        changes.signal()
    }

    private func remove(_ seat: Seat<Turn>, of key: Key) {
        state.withLock { $0.remove(seat, of: key) }
    }
}
