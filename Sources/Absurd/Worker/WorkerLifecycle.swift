import Synchronization

/// How far a worker's run has come towards its end.
///
/// Only goes forward.
package final class WorkerLifecycle: Sendable {
    package enum Stage: Int, Comparable, Sendable {
        case running
        /// Claims no more; running handlers go on.
        case draining
        /// Handlers are cancelled and their runs given back.
        case stopping

        package static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    private let state = Mutex(Stage.running)
    /// Signalled by stage changes.
    package let changes = ChangeSignal()

    package init() {}

    package var stage: Stage { state.withLock(\.self) }

    package func advance(to stage: Stage) {
        let hasChanged = state.withLock { current in
            guard stage > current else { return false }
            current = stage
            return true
        }
        if hasChanged { changes.signal() }
    }

    /// Returns once the stage is at least this one, or when the current task is cancelled.
    package func reached(_ stage: Stage) async {
        while !Task.isCancelled {
            let ticket = changes.ticket()
            if self.stage >= stage { return }
            await changes.waitUnlessCancelled(after: ticket)
        }
    }

    /// Returns at the next change after the ticket, at the latest after `limit`.
    package func changed(after ticket: Int, within limit: Duration) async {
        await changes.wait(after: ticket, within: limit)
    }
}
