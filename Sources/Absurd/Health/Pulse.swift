import Synchronization

/// What a worker's claim loop is doing, and since when.
package final class WorkerPulse: Sendable {
    private struct State {
        var phase = WorkerHealth.Phase.notStarted
        var since = ContinuousClock.now
        /// Since when it tries to claim; nil while it does not, or has just succeeded.
        var tryingSince: ContinuousClock.Instant?
        var writer: RunWriter?
    }
    private let state = Mutex(State())

    package init() {}

    package func enter(_ phase: WorkerHealth.Phase) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.phase = phase
            state.since = now
            switch phase {
            case .claiming, .loading, .pausing: state.tryingSince = state.tryingSince ?? now
            default: state.tryingSince = nil
            }
        }
    }

    /// Notes that a claim has succeeded, and what it brought was loaded.
    package func claimed() { state.withLock { $0.tryingSince = nil } }

    /// Names the writer of the session that begins.
    package func attach(_ writer: RunWriter?) { state.withLock { $0.writer = writer } }

    package var phase: (WorkerHealth.Phase, since: ContinuousClock.Instant) {
        state.withLock { ($0.phase, $0.since) }
    }

    package var tryingSince: ContinuousClock.Instant? { state.withLock(\.tryingSince) }

    package var writer: RunWriter? { state.withLock(\.writer) }
}

/// Beats once a second while a pool runs, on the threads that all Swift tasks share, so that it stops when these are
/// blocked.
package final class Heart: Sendable {
    private let lastBeatNoted = Mutex<ContinuousClock.Instant?>(nil)
    private static let interval = Duration.seconds(1)

    package init() {}

    /// Nil while it does not beat.
    package var lastBeat: ContinuousClock.Instant? { lastBeatNoted.withLock(\.self) }

    /// Beats while `body` goes on.
    package func beating(_ body: @Sendable @escaping () async throws -> Void) async throws {
        defer { lastBeatNoted.withLock { $0 = nil } }
        lastBeatNoted.withLock { $0 = .now }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // The sleep throws when the pool has ended, or is cancelled.
                while (try? await Task.sleep(for: Self.interval)) != nil {
                    self.lastBeatNoted.withLock { $0 = .now }
                }
            }
            defer { group.cancelAll() }
            try await body()
        }
    }
}
