import Synchronization

/// Counts what others still have to do with the client's connections before these may be closed.
package final class Debts: Sendable {
    /// One of them; paying twice counts once.
    package final class Debt: Sendable {
        private let isPaid = Atomic<Bool>(false)
        private let debts: Debts

        fileprivate init(_ debts: Debts) { self.debts = debts }

        package func pay() {
            if !isPaid.exchange(true, ordering: .relaxed) { debts.paid() }
        }
    }

    private let count = Mutex(0)
    private let changes = ChangeSignal()

    package init() {}

    package func owe() -> Debt {
        count.withLock { $0 += 1 }
        return Debt(self)
    }

    private func paid() {
        count.withLock { $0 -= 1 }
        changes.signal()
    }

    /// Returns when nothing is owed, at the latest after `limit`, also in a task that is cancelled.
    package func settled(within limit: Duration) async {
        let end = ContinuousClock.now + limit
        // Nothing in it throws.
        try? await finishingDespiteCancellation {
            while .now < end {
                let ticket = self.changes.ticket()
                if self.count.withLock({ $0 == 0 }) { return }
                await self.changes.wait(after: ticket, within: end - .now)
            }
        }
    }
}
