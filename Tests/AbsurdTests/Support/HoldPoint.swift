import Synchronization

/// Holds code under test at one place until the test lets it go on.
final class HoldPoint: Sendable {
    private struct State {
        var hasArrived = false
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    /// From the code under test: says that it is here and waits for ``open()``.
    ///
    /// Ignores cancellation.
    func arriveAndWait() async {
        arrive()
        await wait { $0.isOpen }
    }

    func arrive() { change { $0.hasArrived = true } }

    /// From the test: waits until somebody has arrived.
    func untilArrived() async { await wait { $0.hasArrived } }

    var isOpen: Bool { state.withLock(\.isOpen) }

    func open() { change { $0.isOpen = true } }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state in
            body(&state)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func wait(until holds: @Sendable (State) -> Bool) async {
        while true {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let resumes = state.withLock { state in
                    if holds(state) { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if resumes { continuation.resume() }
            }
            if state.withLock({ holds($0) }) { return }
        }
    }
}
