import LibPQ
package import Logging
import Synchronization

/// Sends statements until the database answers, across lost connections and restarts.
package final class Delivery: Sendable {
    private let outages: OutageLog
    private let logger: Logger
    private let stopped = Atomic<Bool>(false)
    private let heedsCancellation: Bool

    /// - Parameter heedsCancellation: Whether it ends with the current task, as it does when stopped.
    package init(outages: OutageLog, logger: Logger, heedsCancellation: Bool = false) {
        self.outages = outages
        self.logger = logger
        self.heedsCancellation = heedsCancellation
    }

    package var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// From now on a statement that finds no database fails instead of being sent again.
    package func stopRetrying() { stopped.store(true, ordering: .relaxed) }

    /// - Parameter repeatsTimeouts: Whether to repeat a statement, too, that the server has cancelled for its time limit.
    /// - Throws: Errors that repeating does not cure, lock conflicts, and else ``TookTooLong``; once stopped, any.
    package func persisting<Answer>(
        repeatsTimeouts: Bool = true, _ send: () async throws -> Answer
    ) async throws -> Answer {
        var outage = Backoff(
            base: .milliseconds(50), cap: heedsCancellation ? .milliseconds(250) : .seconds(1))
        while true {
            do {
                let answer = try await send()
                outages.succeeded(logger)
                return answer
            } catch let error as PostgresError where error.isTransient && !error.isLockConflict {
                guard !isStopped, !(heedsCancellation && Task.isCancelled) else { throw AbsurdError(error) }
                guard repeatsTimeouts || !error.tookTooLong else { throw TookTooLong(error: error) }
                outages.failed(error, logger)
                await sleepDespiteCancellation(for: outage.next())
            }
        }
    }
}

/// The server is there, and has cancelled a statement for its time limit.
struct TookTooLong: Error {
    let error: PostgresError
}
