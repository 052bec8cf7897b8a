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
        /// Runs that were claimed and get their slots when their checkpoints have been loaded.
        var loading = 0
    }
    private let state: Mutex<State>

    package init(count: Int) {
        // Popped from the end, so that low numbers are used first.
        state = Mutex(State(taken: Array(repeating: nil, count: count), free: (0..<count).reversed()))
    }

    package var freeCount: Int { state.withLock(\.free.count) }
    /// With those that are reserved.
    package var usedCount: Int { state.withLock { $0.taken.count - $0.free.count } }
    /// With those that are being loaded: what is lost when the worker dies.
    package var heldCount: Int { state.withLock { $0.taken.count - $0.free.count + $0.loading } }

    /// Takes the free slot of the lowest number; nil when there is none.
    package func take(for context: TaskContext) -> Int? {
        state.withLock { state in
            guard let number = state.free.popLast() else { return nil }
            state.taken[number] = (context, .now)
            return number
        }
    }

    /// Takes a free slot for a run that is yet to be claimed; nil when there is none.
    ///
    /// ``use(_:for:)`` or ``give(back:)`` is owed.
    package func reserve() -> Int? { state.withLock { $0.free.popLast() } }

    /// Puts what executes into a slot that was reserved for it.
    package func use(_ number: Int, for context: TaskContext) {
        state.withLock { $0.taken[number] = (context, .now) }
    }

    package func give(back number: Int) {
        state.withLock { state in
            state.taken[number] = nil
            state.free.append(number)
        }
    }

    /// Counts so many runs as being loaded until `body` returns.
    package func whileLoading<Result>(_ count: Int, _ body: () async throws -> Result) async rethrows
        -> Result
    {
        state.withLock { $0.loading += count }
        defer { state.withLock { $0.loading -= count } }
        return try await body()
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
