import Synchronization

/// A place of a worker in which one handler executes at a time.
public struct Slot: Sendable {
    /// From 0 to the worker's concurrency less one.
    public let number: Int
    /// What executes there; nil when it is free.
    public let run: RunInfo?
    /// When it started, by this process' clock.
    public let since: ContinuousClock.Instant?
}

/// The numbered slots of one worker.
package final class SlotTable: Sendable {
    private struct State {
        var taken: [(context: TaskContext, since: ContinuousClock.Instant)?]
        var free: [Int]
    }
    private let state: Mutex<State>

    package init(count: Int) {
        // Popped from the end, so that low numbers are used first.
        state = Mutex(State(taken: Array(repeating: nil, count: count), free: (0..<count).reversed()))
    }

    package var freeCount: Int { state.withLock(\.free.count) }
    package var usedCount: Int { state.withLock { $0.taken.count - $0.free.count } }

    /// Takes the free slot of the lowest number; nil when there is none.
    package func take(for context: TaskContext) -> Int? {
        state.withLock { state in
            guard let number = state.free.popLast() else { return nil }
            state.taken[number] = (context, .now)
            return number
        }
    }

    package func give(back number: Int) {
        state.withLock { state in
            state.taken[number] = nil
            state.free.append(number)
        }
    }

    /// The executions under way, with the time since which they run.
    package var executions: [(context: TaskContext, since: ContinuousClock.Instant)] {
        state.withLock { $0.taken.compactMap(\.self) }
    }

    package var slots: [Slot] {
        state.withLock { state in
            state.taken.enumerated().map { Slot(number: $0, run: $1?.context.info, since: $1?.since) }
        }
    }
}
