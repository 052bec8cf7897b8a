import Synchronization

/// The Swift task that runs a handler, or waits for a claim, for as long as it does.
///
/// A child task for each handler, only to have something to cancel, would cost more than everything else a short
/// execution needs (`docs/decisions/040-a-handler-runs-in-its-executions-task.md`).
final class HandlerTask: Sendable {
    private enum Phase {
        case notStarted
        case running(Reference)
        case over
        /// The execution ended before its handler began.
        case cancelled
    }

    private struct State {
        var phase = Phase.notStarted
        /// When the handler was cancelled while it ran.
        var cancelledAt: ContinuousClock.Instant?
        /// After how long it is said next that the handler goes on all the same.
        var patience = Duration.seconds(5)
    }

    // `cancel()` is the one call that another task may make, and it is made in the lock, in which `during` also
    // takes the reference away before the task can end.
    private struct Reference: @unchecked Sendable {
        let task: UnsafeCurrentTask
    }

    private let state = Mutex(State())

    /// Runs `body`; cancels the current task if ``cancel()`` is or was called.
    func during<Value>(_ body: () async -> Value) async -> Value {
        // The closure of the asynchronous variant would have to be sendable. This task outlives the reference.
        guard let reference = withUnsafeCurrentTask(body: { $0.map(Reference.init) }) else {
            return await body()
        }
        let isCancelled = state.withLock { state in
            if case .cancelled = state.phase { return true }
            state.phase = .running(reference)
            return false
        }
        if isCancelled { reference.task.cancel() }
        defer { state.withLock { $0.phase = .over } }
        return await body()
    }

    func cancel() {
        state.withLock { state in
            switch state.phase {
            case .notStarted: state.phase = .cancelled
            case .running(let reference):
                state.cancelledAt = state.cancelledAt ?? .now
                reference.task.cancel()
            case .over, .cancelled: break
            }
        }
    }

    /// For how long the handler has gone on after it was cancelled, when that is to be said: after five seconds, and
    /// then each time when it has become twice as long.
    func overstay(at now: ContinuousClock.Instant) -> Duration? {
        state.withLock { state in
            guard case .running = state.phase, let cancelledAt = state.cancelledAt else { return nil }
            let overstay = now - cancelledAt
            guard overstay >= state.patience else { return nil }
            state.patience = overstay * 2
            return overstay
        }
    }
}
