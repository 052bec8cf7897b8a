import DequeModule
import Synchronization

/// A loop that several tasks need and one of them runs at a time.
///
/// So it needs no task of its own: whoever needs it lends one. When the lender that runs it is cancelled, another
/// takes over; when the last has gone, `whenUnused` puts away what the loop left behind.
package final class SharedLoop: Sendable {
    private struct State {
        var lenders = 0
        var isRunning = false
        var waiting: Deque<Seat<Bool>> = []
    }
    private let state = Mutex(State())
    private let body: @Sendable () async -> Void
    private let whenUnused: @Sendable () async -> Void

    /// - Parameter body: Returns when its task is cancelled; keeps outside of itself what the next run of it needs.
    package init(
        body: @escaping @Sendable () async -> Void, whenUnused: @escaping @Sendable () async -> Void = {}
    ) {
        self.body = body
        self.whenUnused = whenUnused
    }

    /// Runs the loop, or waits for the chance to, until the current task is cancelled.
    package func lend() async {
        let seat = state.withLock { state -> Seat<Bool>? in
            state.lenders += 1
            guard state.isRunning else {
                state.isRunning = true
                return nil
            }
            let seat = Seat<Bool>()
            state.waiting.append(seat)
            return seat
        }
        if await isChosen(seat) {
            await body()
            handOver()
        }
        if state.withLock({ leave(&$0) }) { await whenUnused() }
    }

    private func isChosen(_ seat: Seat<Bool>?) async -> Bool {
        guard let seat else { return true }
        return await withTaskCancellationHandler {
            await seat.turn()
        } onCancel: {
            seat.give(false)
        }
    }

    private func handOver() {
        while true {
            let next = state.withLock { state -> Seat<Bool>? in
                guard let next = state.waiting.popFirst() else {
                    state.isRunning = false
                    return nil
                }
                return next
            }
            // A seat that was cancelled has had its turn.
            guard let next, !next.give(true) else { return }
        }
    }

    /// True when nobody needs the loop any more.
    private func leave(_ state: inout State) -> Bool {
        state.lenders -= 1
        return state.lenders == 0
    }
}
