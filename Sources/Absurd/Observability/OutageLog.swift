import LibPQ
package import Logging
import Synchronization

/// Logs that the database stopped answering, and that it answers again: once per change, not once per attempt.
package final class OutageLog: Sendable {
    private let since = Mutex<ContinuousClock.Instant?>(nil)

    package init() {}

    package func failed(_ error: any Error, _ logger: Logger) {
        let isNew = since.withLock { since in
            guard since == nil else { return false }
            since = .now
            return true
        }
        guard isNew else { return }
        let isAway = (error as? PostgresError)?.isTransient ?? true
        logger.info(
            isAway
                ? "the database does not answer; trying again until it does"
                : "the database refuses what the worker asks; trying again until it does not",
            metadata: ["error": .string(String(describing: error))])
    }

    package func succeeded(_ logger: Logger) {
        let outage = since.withLock { since in
            defer { since = nil }
            return since.map { ContinuousClock.now - $0 }
        }
        guard let outage else { return }
        logger.info("the database answers again", metadata: ["absurd.outage": "\(outage)"])
    }
}
