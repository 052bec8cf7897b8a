import Synchronization

// What the worker that watches the claims asks of each execution.
extension TaskContext {
    package var hasEnded: Bool { if case .ended = phase { true } else { false } }

    /// Takes in that a write which renews the claim was accepted.
    package func renewed(by seconds: Int, sentAt: ContinuousClock.Instant) {
        lease.withLock { $0.renewed(by: seconds, sentAt: sentAt) }
    }

    /// When the claim runs out unless it is renewed; nil when the worker has nothing to tell.
    package var nextLapse: ContinuousClock.Instant? { hasEnded ? nil : lease.withLock(\.nextLapse) }

    /// True once for each time that the claim runs out under a handler that goes on.
    package func hasLapsed(at now: ContinuousClock.Instant) -> Bool {
        !hasEnded && lease.withLock { $0.hasLapsed(at: now) }
    }

    /// For how long the handler has ignored its cancellation, when that is to be said.
    package func overstay(at now: ContinuousClock.Instant) -> Duration? { handlerTask.overstay(at: now) }
}
