import DequeModule
import Synchronization

/// The events that a subscription has not read yet.
///
/// A reader takes all that there are at once. An `AsyncStream` hands them over one by one, which cost a worker more than
/// its handlers (`docs/decisions/081-ends-are-not-waited-for.md`).
package final class EventBuffer: Sendable {
    private struct State {
        var events: Deque<WorkerEvent> = []
        var droppedCount = 0
        var isFinished = false
        /// Whether somebody waits for the next event.
        var isAwaited = false
    }

    private let state = Mutex(State())
    private let limit: Int
    private let changes = ChangeSignal()

    package init(limit: Int) { self.limit = max(1, limit) }

    var droppedCount: Int { state.withLock(\.droppedCount) }
    var isFinished: Bool { state.withLock(\.isFinished) }

    func append(_ event: WorkerEvent) {
        let isAwaited = state.withLock { state in
            guard !state.isFinished else { return false }
            if state.events.count >= limit {
                state.events.removeFirst()
                state.droppedCount += 1
            }
            state.events.append(event)
            defer { state.isAwaited = false }
            return state.isAwaited
        }
        if isAwaited { changes.signal() }
    }

    /// No more events come; those that are there can still be read.
    func finish() {
        state.withLock { $0.isFinished = true }
        changes.signal()
    }

    /// Nobody is going to read.
    func abandon() {
        state.withLock { state in
            state.isFinished = true
            state.events = []
        }
    }

    /// Everything that is there, once there is something; nil at the end.
    ///
    /// The cancellation of the reader's task is the end as well.
    func take() async -> Deque<WorkerEvent>? {
        while true {
            // Also while more comes than the reader can take.
            if Task.isCancelled { finish() }
            let ticket = changes.ticket()
            let (events, isFinished) = state.withLock { state in
                defer { state.events = [] }
                state.isAwaited = state.events.isEmpty
                return (state.events, state.isFinished)
            }
            if !events.isEmpty { return events }
            if isFinished { return nil }
            await changes.waitUnlessCancelled(after: ticket)
        }
    }

    /// Lets events gather, for a reader that has kept up so far: to wake one for each event costs a worker under load as
    /// much as the rest of a short execution.
    ///
    /// - Parameter count: How many the reader has taken together.
    func pause(after count: Int) async {
        guard hasRoomToGather(after: count) else { return }
        // Cancelled with the reader, who sees that at its next look.
        try? await Task.sleep(for: .milliseconds(10))
    }

    /// Not for who comes for the first time, nor when four times as many would be too many.
    package func hasRoomToGather(after count: Int) -> Bool { count > 0 && count <= limit / 4 }
}
