import Synchronization

/// The Swift task that runs a handler, for as long as it does.
///
/// A child task for each handler, only to have something to cancel, would cost more than everything else a short
/// execution needs (`docs/decisions/040-a-handler-runs-in-its-executions-task.md`).
final class HandlerTask: Sendable {
    private enum State {
        case notStarted
        case running(Reference)
        case over
        /// The execution ended before its handler began.
        case cancelled
    }

    // `cancel()` is the one call that another task may make, and it is made in the lock, in which `during` also
    // takes the reference away before the task can end.
    private struct Reference: @unchecked Sendable {
        let task: UnsafeCurrentTask
    }

    private let state = Mutex(State.notStarted)

    /// Runs `body`; cancels the current task if ``cancel()`` is or was called.
    func during<Value>(_ body: () async -> Value) async -> Value {
        // The closure of the asynchronous variant would have to be sendable. This task outlives the reference.
        guard let reference = withUnsafeCurrentTask(body: { $0.map(Reference.init) }) else {
            return await body()
        }
        let isCancelled = state.withLock { state in
            if case .cancelled = state { return true }
            state = .running(reference)
            return false
        }
        if isCancelled { reference.task.cancel() }
        defer { state.withLock { $0 = .over } }
        return await body()
    }

    func cancel() {
        state.withLock { state in
            switch state {
            case .notStarted: state = .cancelled
            case .running(let reference): reference.task.cancel()
            case .over, .cancelled: break
            }
        }
    }
}
