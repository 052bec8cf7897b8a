import LibPQ
package import Logging
import Synchronization

/// Whether the database answers one worker; the log is told once per change, by ``OutageLines``, not once per attempt.
package final class OutageLog: Sendable {
    private struct State {
        var outage: HealthFacts.Outage?
    }

    private let lines: OutageLines
    private let state = Mutex(State())

    package init(_ lines: OutageLines = OutageLines()) { self.lines = lines }

    deinit {
        // A worker that is gone keeps nobody from being told that the others get answers.
        if let current { lines.ended(after: .now - current.since, nil) }
    }

    /// The outage that lasts; nil while the database answers.
    package var current: HealthFacts.Outage? { state.withLock(\.outage) }

    /// Whether there is an outage, or was one a moment ago, whose consequences are not worth a line each.
    ///
    /// Also one that only other workers of the client have noticed: what it did to this one's claims shows all the same.
    package var isFresh: Bool { lines.isFresh }

    package func failed(_ error: any Error, _ logger: Logger) {
        let isAway = (error as? PostgresError)?.isTransient ?? true
        let isLocked = (error as? PostgresError)?.isLockConflict ?? false
        let isNew = state.withLock { state in
            let isNew = state.outage == nil
            // Of what comes later the words are kept, since they are about what is wrong now.
            state.outage = HealthFacts.Outage(
                since: state.outage?.since ?? .now,
                message: (error as? PostgresError).map { AbsurdError($0).message }
                    ?? String(describing: error),
                kind: !isAway ? .refusal : isLocked ? .lock : .silence)
            return isNew
        }
        lines.failed(
            isNew: isNew, logger,
            isAway
                ? "the database does not answer; trying again until it does"
                : "the database refuses what the worker asks; trying again until it does not", error)
    }

    package func succeeded(_ logger: Logger) {
        let ended = state.withLock { state -> Duration? in
            guard let outage = state.outage.take() else { return nil }
            return .now - outage.since
        }
        if let ended { lines.ended(after: ended, logger) }
    }
}
