package import Logging
import Synchronization

/// The lines that a client's log gets about the database's absences: one when the first worker notices, one when all
/// of them get answers again.
///
/// A database that comes and goes would fill the log all the same, so that there are at most two such pairs a minute;
/// what happens in between is logged for debugging. An absence that lasts is always told, late if need be.
package final class OutageLines: Sendable {
    private struct State {
        var away = 0
        var isTold = false
        var told: [ContinuousClock.Instant] = []
        var lastEnd: ContinuousClock.Instant?
    }
    private let state = Mutex(State())

    package init() {}

    /// Whether some worker gets no answer, or got none a moment ago.
    package var isFresh: Bool {
        state.withLock { $0.away > 0 || $0.lastEnd.map { .now - $0 < .seconds(30) } ?? false }
    }

    /// - Parameter isNew: whether the worker that failed got answers before.
    package func failed(isNew: Bool, _ logger: Logger, _ message: Logger.Message, _ error: any Error) {
        let (tells, isFirst) = state.withLock { state in
            if isNew { state.away += 1 }
            guard !state.isTold else { return (false, false) }
            let now = ContinuousClock.now
            state.told.removeAll { now - $0 > .seconds(60) }
            guard state.told.count < 2 else { return (false, isNew && state.away == 1) }
            state.told.append(now)
            state.isTold = true
            return (true, true)
        }
        guard isFirst else { return }
        logger.log(
            level: tells ? .info : .debug, message, metadata: ["error": .string(String(describing: error))])
    }

    /// A worker that had failed gets answers, or has ended.
    package func ended(after duration: Duration, _ logger: Logger?) {
        let (isOver, tells) = state.withLock { state in
            state.away -= 1
            state.lastEnd = .now
            guard state.away == 0 else { return (false, false) }
            defer { state.isTold = false }
            return (true, state.isTold)
        }
        guard isOver else { return }
        logger?.log(
            level: tells ? .info : .debug, "the database answers again",
            metadata: ["absurd.outage": "\(duration)"])
    }
}
