import Synchronization

/// Suspends tasks until a descriptor is ready, a deadline passes, the task is cancelled or somebody
/// wakes them.
///
/// The one place where this client waits. One instance serves the process: a thread of its own (Linux)
/// or dispatch sources (elsewhere) watch the descriptors, so no wait ever occupies a thread of the shared
/// pool, and a deadline costs no task.
final class Readiness: Sendable {
    /// Names one wait; never used twice, so a late event cannot reach the wrong waiter.
    struct Token: Hashable, Sendable {
        let number: UInt64
    }

    struct Interest: OptionSet, Sendable {
        let rawValue: UInt8
        static let readable = Interest(rawValue: 1)
        static let writable = Interest(rawValue: 2)
    }

    enum Wakeup: Sendable {
        /// The descriptor is ready, or its other end is gone.
        case ready
        case deadlinePassed
        case cancelled
        /// ``wake(_:)`` was called.
        case woken
    }

    private struct Waiter {
        var continuation: CheckedContinuation<Wakeup, Never>
        var deadline: ContinuousClock.Instant?
    }

    private struct State {
        var waiters: [Token: Waiter] = [:]
        /// When the poller looks for passed deadlines next; never later than the earliest of them.
        var nextExpiry: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let lastToken = Atomic<UInt64>(0)
    private let poller: Poller

    private static let instance = Mutex<Readiness?>(nil)

    /// The instance of this process, made at the first call.
    ///
    /// - Throws: `connectionFailed` when the system has no descriptor or thread left for it; a later call
    ///   tries again.
    static func shared() throws -> Readiness {
        try instance.withLock { instance in
            if let instance { return instance }
            let made = try Readiness()
            instance = made
            return made
        }
    }

    private init() throws {
        poller = try Poller()
        try poller.start(for: self)
    }

    /// Waits for `interest` in `descriptor`, or, without a descriptor, only for the other reasons to wake.
    ///
    /// - Parameter registered: called once the wait can be woken by its token, before suspending.
    func wait(
        for interest: Interest = [],
        on descriptor: Int32? = nil,
        until deadline: ContinuousClock.Instant?,
        isCancellable: Bool = true,
        registered: (Token) -> Void = { _ in }
    ) async -> Wakeup {
        let token = Token(number: lastToken.wrappingAdd(1, ordering: .relaxed).newValue)
        guard isCancellable else {
            return await suspend(token, interest, descriptor, deadline, registered)
        }
        return await withTaskCancellationHandler {
            await suspend(token, interest, descriptor, deadline) { token in
                // Cancelled before the registration: the handler below found nothing to resume.
                if Task.isCancelled { resume(token, with: .cancelled) }
                registered(token)
            }
        } onCancel: {
            resume(token, with: .cancelled)
        }
    }

    /// Ends the wait named by `token`; does nothing when it has ended already.
    func wake(_ token: Token) {
        resume(token, with: .woken)
    }

    private func suspend(
        _ token: Token,
        _ interest: Interest,
        _ descriptor: Int32?,
        _ deadline: ContinuousClock.Instant?,
        _ registered: (Token) -> Void
    ) async -> Wakeup {
        await withCheckedContinuation { continuation in
            let expiry = register(token, Waiter(continuation: continuation, deadline: deadline))
            if let expiry { poller.scheduleExpiry(at: expiry) }
            // Only now: an event of the poller must find the waiter.
            if let descriptor, !poller.arm(descriptor, interest, token) {
                // A descriptor that cannot be watched is in error; the next read or write says which.
                resume(token, with: .ready)
            }
            registered(token)
        }
    }

    /// Returns when the poller must look for passed deadlines, if that is earlier than it knows.
    private func register(_ token: Token, _ waiter: Waiter) -> ContinuousClock.Instant? {
        state.withLock { state in
            state.waiters[token] = waiter
            guard let deadline = waiter.deadline else { return nil }
            if let next = state.nextExpiry, next <= deadline { return nil }
            state.nextExpiry = deadline
            return deadline
        }
    }

    private func resume(_ token: Token, with wakeup: Wakeup) {
        guard let waiter = state.withLock({ $0.waiters.removeValue(forKey: token) }) else { return }
        poller.disarm(token) { waiter.continuation.resume(returning: wakeup) }
    }
}

/// What the poller calls.
extension Readiness {
    func becameReady(_ token: Token) {
        resume(token, with: .ready)
    }

    /// Resumes everybody whose deadline has passed; returns when to look again.
    ///
    /// Looks at all waiters, which is cheap because it happens at deadlines, not at events: a statement
    /// that ends in time leaves at most one early look behind.
    func expire(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        let (expired, next) = state.withLock { state in
            guard let due = state.nextExpiry, due <= now else { return ([Token](), state.nextExpiry) }
            var expired: [Token] = []
            var next: ContinuousClock.Instant?
            for (token, waiter) in state.waiters {
                guard let deadline = waiter.deadline else { continue }
                if deadline <= now {
                    expired.append(token)
                } else if next.map({ deadline < $0 }) ?? true {
                    next = deadline
                }
            }
            state.nextExpiry = next
            return (expired, next)
        }
        for token in expired { resume(token, with: .deadlinePassed) }
        return next
    }
}
