package import LibPQ
package import Logging
import Synchronization

/// The workers of one client that are registered, and what keeps them so.
///
/// One loop beats for all of them, on a connection and a thread of its own: each second while one of them has runs
/// under way, more seldom otherwise. What the database answers to a beat also says whether workers of other processes
/// have fallen silent; this process then gives up their runs. The protocol is that of
/// `sql/absurd_swift/36_lost_workers.sql`.
package final class WorkerRegistry: Sendable {
    /// One registered worker.
    struct Member: Sendable {
        let id: String
        /// How many runs are under way, and how often the worker was started again.
        let load: @Sendable () -> (running: Int, restarts: Int)
        /// Called once when the registry has the worker no more.
        let lost: @Sendable () -> Void
    }

    struct State {
        var members: [String: Member] = [:]
        var nextBeat = ContinuousClock.now
        /// Whether a worker has claimed runs since the last beat was begun.
        var hasClaimed = false
        var connection: PostgresConnection?
        var silence = NetworkSilence()
    }

    let state = Mutex(State())
    let changes = ChangeSignal()
    let thread = BeatThread()
    let pool: PostgresPool
    let configuration: PostgresConfiguration
    let logger: Logger

    package init(pool: PostgresPool, configuration: PostgresConfiguration, logger: Logger) {
        var configuration = configuration
        configuration.connectTimeout = min(configuration.connectTimeout, .seconds(5))
        self.configuration = configuration
        self.pool = pool
        self.logger = logger
    }

    /// Has beats sent for a worker that has just registered.
    func join(_ member: Member) {
        state.withLock { state in
            if state.members.isEmpty { state.nextBeat = .now + BeatTiming.working }
            state.members[member.id] = member
        }
        changes.signal()
    }

    /// False when the worker had left before.
    @discardableResult
    func leave(_ id: String) -> Bool {
        state.withLock { $0.members.removeValue(forKey: id) != nil }
    }

    /// Says that a worker has claimed runs, so that the next beat may not be far.
    func claimed() {
        let isSooner = state.withLock { state in
            state.hasClaimed = true
            let latest = ContinuousClock.now + BeatTiming.working
            guard state.nextBeat > latest else { return false }
            state.nextBeat = latest
            return true
        }
        if isSooner { changes.signal() }
    }

    /// Puts away what ``run()`` left behind.
    func close() async {
        let connection = state.withLock { $0.connection.take() }
        await connection?.close()
    }
}

/// How long a process may wait between two beats.
///
/// Jitter only shortens: observers count on the longest.
package enum BeatTiming {
    /// While a run is under way; three of these are the window after which a worker counts as silent.
    package static let working = Duration.seconds(1)
    /// While a worker elsewhere has runs under way: shorter than the gap that makes an observer unsteady.
    package static let watching = Duration.milliseconds(1500)
    /// While nobody has.
    package static let idle = Duration.seconds(5)
    /// After the second beat that failed; the first is repeated at once.
    package static let retry = Duration.milliseconds(200)
    package static let longestRetry = Duration.seconds(1)
    /// How long a beat waits for its answer, and before that for a connection of the pool.
    ///
    /// After a second and this, what is left of the window has to do for another connection and the beat on it.
    package static let patience = Duration.milliseconds(800)
    /// The same on a connection that was made after a failure: if that is in time, the server is slow.
    package static let longerPatience = Duration.seconds(2)

    package static func next(hasRuns: Bool, suspects: Bool, othersRun: Bool) -> Duration {
        if hasRuns || suspects { return working * Double.random(in: 0.8...1) }
        return (othersRun ? watching : idle) * Double.random(in: 0.9...1)
    }
}
