import Synchronization

/// How far a worker's run has come towards its end.
///
/// Only goes forward, except that a worker that was taken for dead stops and then starts over.
package final class WorkerLifecycle: Sendable {
    package enum Stage: Int, Comparable, Sendable {
        case running
        /// Claims no more; running handlers go on.
        case draining
        /// Handlers are cancelled and their runs given back.
        case stopping

        package static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    private struct State {
        /// What the worker was asked for.
        var asked = Stage.running
        var isLost = false
        var isGraceOver = false
    }
    private let state = Mutex(State())
    /// Signalled by stage changes.
    package let changes = ChangeSignal()

    package init() {}

    package var stage: Stage { state.withLock { $0.isLost ? .stopping : $0.asked } }

    /// Whether the worker stops because it was taken for dead.
    package var isLost: Bool { state.withLock(\.isLost) }

    package func advance(to stage: Stage) {
        let hasChanged = state.withLock { state in
            let stage = stage == .draining && state.isGraceOver ? .stopping : stage
            guard stage > state.asked else { return false }
            state.asked = stage
            return true
        }
        if hasChanged { changes.signal() }
    }

    /// Handlers get no time to end: from now on if the worker drains, else when it is shut down.
    package func endGrace() {
        let hasChanged = state.withLock { state in
            state.isGraceOver = true
            guard state.asked == .draining else { return false }
            state.asked = .stopping
            return true
        }
        if hasChanged { changes.signal() }
    }

    /// Stops the worker, which was taken for dead, so that it gives up what it holds.
    package func lose() {
        state.withLock { $0.isLost = true }
        changes.signal()
    }

    /// After the stop: true when the worker is to go on, under another id.
    package func startOver() -> Bool {
        state.withLock { state in
            defer { state.isLost = false }
            return state.isLost && state.asked == .running
        }
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
