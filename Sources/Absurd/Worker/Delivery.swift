import LibPQ
package import Logging
import Synchronization

/// Sends statements until the database answers, across lost connections and restarts.
package final class Delivery: Sendable {
    private let outages: OutageLog
    private let logger: Logger
    private let stopped = Atomic<Bool>(false)
    /// Between attempts while the database is away.
    private let longestPause: Duration

    package init(outages: OutageLog, logger: Logger, longestPause: Duration = .seconds(1)) {
        self.outages = outages
        self.logger = logger
        self.longestPause = longestPause
    }

    package var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// From now on a statement that finds no database fails instead of being sent again.
    package func stopRetrying() { stopped.store(true, ordering: .relaxed) }

    /// - Parameter timeouts: How often the server may say that the statement took too long.
    /// - Throws: Errors that repeating does not cure, lock conflicts, and one time-out more than that; once stopped, any.
    package func persisting<Answer>(
        timeouts: Int = .max, _ send: () async throws -> Answer
    ) async throws -> Answer {
        var outage = Backoff(base: .milliseconds(50), cap: longestPause)
        var timeoutsLeft = timeouts
        while true {
            do {
                let answer = try await send()
                outages.succeeded(logger)
                return answer
            } catch let error as PostgresError where error.isTransient && !error.isLockConflict {
                guard !isStopped else { throw AbsurdError(error) }
                if error.tookTooLong {
                    guard timeoutsLeft > 0 else { throw error }
                    timeoutsLeft -= 1
                }
                outages.failed(error, logger)
                await sleepDespiteCancellation(for: outage.next())
            }
        }
    }
}
