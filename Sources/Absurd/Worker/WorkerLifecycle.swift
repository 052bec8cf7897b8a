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
        /// Counts how often the worker has started over.
        var life = 0
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

    /// Which of its lives the worker is in: it has another after each time that it was taken for dead.
    package var life: Int { state.withLock(\.life) }

    /// Stops the worker, which was taken for dead in that life, so that it gives up what it holds.
    ///
    /// False when that is known, or concerns an earlier life.
    @discardableResult
    package func lose(_ life: Int) -> Bool {
        let hasChanged = state.withLock { state in
            guard state.life == life, !state.isLost else { return false }
            state.isLost = true
            return true
        }
        if hasChanged { changes.signal() }
        return hasChanged
    }

    /// After the stop: true when the worker is to go on, under another id.
    package func startOver() -> Bool {
        state.withLock { state in
            guard state.isLost else { return false }
            state.isLost = false
            state.life += 1
            return state.asked == .running
        }
    }

    /// Returns once the stage is at least this one, or when the current task is cancelled.
    package func reached(_ stage: Stage) async { await changed { self.stage >= stage } }

    /// The same for what the worker was asked for, which does not count that it was taken for dead.
    func asked(for stage: Stage) async { await changed { self.state.withLock(\.asked) >= stage } }

    private func changed(until holds: () -> Bool) async {
        while !Task.isCancelled {
            let ticket = changes.ticket()
            if holds() { return }
            await changes.waitUnlessCancelled(after: ticket)
        }
    }

    /// How long a worker that was asked to end waits for an answer of the database.
    static let patience = Duration.seconds(3)

    /// Runs `operation`, also when the current task is cancelled, but cancels it after ``patience`` once the worker was
    /// asked to end; nil when it comes to nothing then.
    ///
    /// - Parameter whenLost: Whether the same is to happen when it was taken for dead.
    func whilePatient<Value: Sendable>(
        whenLost: Bool = false, _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        try await finishingDespiteCancellation {
            try await withThrowingTaskGroup(of: Value?.self) { group in
                group.addTask { try await operation() }
                group.addTask {
                    if whenLost {
                        await self.reached(.draining)
                    } else {
                        await self.asked(for: .draining)
                    }
                    // Cancelled when the operation ends first.
                    try? await Task.sleep(for: Self.patience)
                    return nil
                }
                defer { group.cancelAll() }
                if let value = try await group.next() ?? nil { return value }
                // What it has come to when it is broken off.
                group.cancelAll()
                return (try? await group.next()) ?? nil
            }
        }
    }

    /// Returns at the next change after the ticket, at the latest after `limit`.
    package func changed(after ticket: Int, within limit: Duration) async {
        await changes.wait(after: ticket, within: limit)
    }
}
