import LibPQ
package import Logging
import Synchronization

/// Logs that the database stopped answering, and that it answers again: once per change, not once per attempt.
package final class OutageLog: Sendable {
    private let outage = Mutex<HealthFacts.Outage?>(nil)

    package init() {}

    /// The outage that lasts; nil while the database answers.
    package var current: HealthFacts.Outage? { outage.withLock(\.self) }

    package func failed(_ error: any Error, _ logger: Logger) {
        let isAway = (error as? PostgresError)?.isTransient ?? true
        let isLocked = (error as? PostgresError)?.isLockConflict ?? false
        let isNew = outage.withLock { outage in
            let isNew = outage == nil
            // Of what comes later the words are kept, since they are about what is wrong now.
            outage = HealthFacts.Outage(
                since: outage?.since ?? .now,
                message: (error as? PostgresError).map { AbsurdError($0).message }
                    ?? String(describing: error),
                kind: !isAway ? .refusal : isLocked ? .lock : .silence)
            return isNew
        }
        guard isNew else { return }
        logger.info(
            isAway
                ? "the database does not answer; trying again until it does"
                : "the database refuses what the worker asks; trying again until it does not",
            metadata: ["error": .string(String(describing: error))])
    }

    package func succeeded(_ logger: Logger) {
        let ended = outage.withLock { outage in
            defer { outage = nil }
            return outage.map { ContinuousClock.now - $0.since }
        }
        guard let ended else { return }
        logger.info("the database answers again", metadata: ["absurd.outage": "\(ended)"])
    }
}
