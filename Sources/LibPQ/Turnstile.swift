import Synchronization

/// Lets one task at a time use a connection, in the order they came.
///
/// A task that only listens gives way: it is woken when somebody else wants its turn.
final class Turnstile: Sendable {
    private let readiness: Readiness
    private let turns = Mutex(Turns<Readiness.Token>())

    init(_ readiness: Readiness) {
        self.readiness = readiness
    }

    /// Waits for the turn; false when the task was cancelled first.
    func enter(isCancellable: Bool) async -> Bool {
        if turns.withLock({ $0.take() }) { return true }

        var ticket: Readiness.Token?
        let wakeup = await readiness.wait(until: nil, isCancellable: isCancellable) { token in
            ticket = token
            wake(turns.withLock { $0.enqueue(token) })
        }
        guard let ticket, turns.withLock({ $0.settle(ticket) }) else { return false }
        // Cancelled and chosen at the same time: the turn must not be lost.
        if wakeup == .cancelled { leave() }
        return wakeup != .cancelled
    }

    func leave() {
        wake(turns.withLock { $0.leave() })
    }

    /// Notes that the holder of the turn only listens, in the wait named by `token`, which ends as soon as
    /// somebody else wants the turn.
    func giveWay(_ token: Readiness.Token) {
        if !turns.withLock({ $0.giveWay(token) }) { readiness.wake(token) }
    }

    private func wake(_ token: Readiness.Token?) {
        if let token { readiness.wake(token) }
    }
}
