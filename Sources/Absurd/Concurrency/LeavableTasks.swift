import Synchronization

/// Tasks that are waited for as long as that makes sense, and not for ever.
///
/// A child task keeps its parent from returning. One that executes a handler which ignores its cancellation would keep
/// the process from ending (`docs/decisions/071-deaf-handlers-are-left-behind.md`).
package final class LeavableTasks: Sendable {
    private let running = Mutex(0)
    private let changes = ChangeSignal()

    package init() {}

    /// - Parameter executor: Whose threads it prefers; nil for the shared ones.
    package func start(
        on executor: (any TaskExecutor)? = nil, _ body: @escaping @Sendable () async -> Void
    ) {
        hold()
        // A child task could not be left behind.
        Task(executorPreference: executor) {
            await body()
            self.release()
        }
    }

    /// Counts something that goes on without a task as one, until ``release()``.
    package func hold() { running.withLock { $0 += 1 } }

    package func release() {
        let isLast = running.withLock { running in
            running -= 1
            return running == 0
        }
        if isLast { changes.signal() }
    }

    /// Returns when none is running, or when the current task is cancelled.
    package func ended() async {
        while !Task.isCancelled {
            let ticket = changes.ticket()
            if running.withLock({ $0 == 0 }) { return }
            await changes.waitUnlessCancelled(after: ticket)
        }
    }
}
