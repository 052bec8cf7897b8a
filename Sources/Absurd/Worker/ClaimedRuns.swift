import Synchronization

/// Runs that statements have claimed, on their way to the session that executes them.
final class ClaimedRuns: Sendable {
    private struct State {
        var runs: [(TaskContext, Int)] = []
        var isClosed = false
    }
    private let state = Mutex(State())
    let changes = ChangeSignal()

    /// False when nobody takes them any more.
    func put(_ context: TaskContext, _ slot: Int) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isClosed { state.runs.append((context, slot)) }
            return !state.isClosed
        }
        if isTaken { changes.signal() }
        return isTaken
    }

    /// Nil when it has been closed.
    func take() -> [(TaskContext, Int)]? {
        state.withLock { state in
            defer { state.runs = [] }
            return state.isClosed ? nil : state.runs
        }
    }

    /// Returns what nobody has taken.
    func close() -> [(TaskContext, Int)] {
        let left = state.withLock { state in
            defer { state.runs = [] }
            state.isClosed = true
            return state.runs
        }
        changes.signal()
        return left
    }
}
