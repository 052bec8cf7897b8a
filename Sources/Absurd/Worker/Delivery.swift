import LibPQ
package import Logging
import Synchronization

/// Sends statements until the database answers, across lost connections and restarts.
package final class Delivery: Sendable {
    private let outages: OutageLog
    private let logger: Logger
    private let stopped = Atomic<Bool>(false)

    package init(outages: OutageLog, logger: Logger) {
        self.outages = outages
        self.logger = logger
    }

    package var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// From now on a statement that finds no database fails instead of being sent again.
    package func stopRetrying() { stopped.store(true, ordering: .relaxed) }

    /// - Throws: Errors that repeating does not cure, and lock conflicts; once stopped, any.
    package func persisting<Answer>(_ send: () async throws -> Answer) async throws -> Answer {
        var outage = Backoff(base: .milliseconds(50), cap: .seconds(1))
        while true {
            do {
                let answer = try await send()
                outages.succeeded(logger)
                return answer
            } catch let error as PostgresError where error.isTransient && !error.isLockConflict {
                guard !isStopped else { throw AbsurdError(error) }
                outages.failed(error, logger)
                await sleepDespiteCancellation(for: outage.next())
            }
        }
    }
}
