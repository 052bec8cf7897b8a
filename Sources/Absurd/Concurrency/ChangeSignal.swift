import Synchronization

/// Lets tasks wait until something has changed since they last looked.
///
/// Take a ticket, look, and wait with that ticket: a change between the look and the wait is not missed.
package final class ChangeSignal: Sendable {
    private struct State {
        var generation = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    package init() {}

    package func ticket() -> Int { state.withLock(\.generation) }

    package func signal() {
        let waiters = state.withLock { state in
            state.generation += 1
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns at the next signal, or at once when there was one since the ticket was taken.
    package func wait(after ticket: Int) async {
        await withCheckedContinuation { continuation in
            let isStale = state.withLock { state in
                guard state.generation == ticket else { return true }
                state.waiters.append(continuation)
                return false
            }
            if isStale { continuation.resume() }
        }
    }

    /// The same, and also returns when the current task is cancelled.
    ///
    /// Look at `Task.isCancelled` before waiting again, or the loop spins.
    package func waitUnlessCancelled(after ticket: Int) async {
        await withTaskCancellationHandler {
            guard !Task.isCancelled else { return }
            await wait(after: ticket)
        } onCancel: {
            // Wakes everybody, which is harmless: each looks again.
            signal()
        }
    }

    /// Returns at the next signal after the ticket, at the latest after `limit`, and when the task is cancelled.
    package func wait(after ticket: Int, within limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.waitUnlessCancelled(after: ticket) }
            group.addTask {
                // Cancelled when the change comes first.
                try? await Task.sleep(for: limit)
            }
            await group.next()
            group.cancelAll()
        }
    }
}
