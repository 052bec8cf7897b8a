import Synchronization

/// Where one task waits until another gives it its turn, once.
package final class Seat<Turn: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Turn, Never>)
        /// The turn came before the caller waited for it.
        case early(Turn)
        case over
    }
    private let state = Mutex(State.empty)

    package init() {}

    /// Gives the caller its turn; false when it has had one already.
    @discardableResult
    package func give(_ turn: Turn) -> Bool {
        let (isGiven, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Turn, Never>?) in
            switch state {
            case .empty:
                state = .early(turn)
                return (true, nil)
            case .waiting(let continuation):
                state = .over
                return (true, continuation)
            case .early, .over:
                return (false, nil)
            }
        }
        waiter?.resume(returning: turn)
        return isGiven
    }

    /// Whether the caller has had its turn, or has left.
    package var isOver: Bool {
        state.withLock { state in
            switch state {
            case .empty, .waiting: false
            case .early, .over: true
            }
        }
    }

    /// Waits for the turn.
    ///
    /// For one call.
    package func turn() async -> Turn {
        await withCheckedContinuation { continuation in
            let early: Turn? = state.withLock { state in
                if case .early(let turn) = state {
                    state = .over
                    return turn
                }
                state = .waiting(continuation)
                return nil
            }
            if let early { continuation.resume(returning: early) }
        }
    }
}
