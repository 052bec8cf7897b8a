import LibPQ
import Logging
import Synchronization

/// Strays: runs of claims that were committed and whose answers were lost, held under the worker's id without its
/// knowing (`sql/absurd_swift/37_strays.sql`).
extension WorkerSession {
    /// Notes that the claim may have taken effect, if the error leaves that open.
    func doubtClaim(after error: PostgresError) {
        guard error.leavesOutcomeOpen else { return }
        doubt.withLock { $0.answerLost(at: .now, limit: worker.client.statementTimeout) }
    }

    /// Gives strays back when it is time to look for some.
    ///
    /// Only for the claim loop, between two claims: the runs of a claim that is under way are unknown here, too. Not due
    /// while statements of the program claim beside it.
    ///
    /// While the database is away that is tried again later.
    func giveBackStrays() async {
        let now = ContinuousClock.now
        guard doubt.withLock({ $0.isDue(at: now) }) else { return }
        // Part of it, for whoever asks since when the worker tries.
        worker.pulse.enter(.claiming)
        do {
            try await claiming.during { await Result.catching { try await releaseStrays() } }.get()
            doubt.withLock { $0.looked(at: now) }
        } catch let error as PostgresError where error.code == .cancelled {
            // The worker is at its end, and looks once more.
            doubt.withLock { $0.lookFailed(at: .now) }
        } catch let error as PostgresError where error.isTransient {
            worker.outages.failed(error, observer.logger)
            doubt.withLock { $0.lookFailed(at: .now) }
        } catch {
            // As when the queue is gone. What is left is taken over when its claim expires.
            observer.logger.info(
                "runs of a claim whose answer was lost could not be looked for",
                metadata: ["error": "\(error)"])
            doubt.withLock { $0.close() }
        }
    }

    /// The same once more at the end, when handlers hold nothing and whatever is claimed is given back anyway.
    func giveBackLastStrays() async {
        guard doubt.withLock(\.isOpen) else { return }
        try? await releaseStrays()
    }

    private func releaseStrays() async throws {
        let known = worker.slotTable.executions.map(\.context.run.key)
        let count = try await worker.store.giveBackStrays(known: known, holder: holder)
        if count > 0 {
            observer.logger.info(
                "the answer of a claim was lost; its runs were given back",
                metadata: ["absurd.runs": "\(count)"])
        }
    }

    /// Has the claim loop look for strays when that is due and it waits for work or for room.
    func wakeForStrays(at now: ContinuousClock.Instant) {
        guard doubt.withLock({ $0.isDue(at: now) }) else { return }
        interruptWaiting()
    }
}

extension PostgresError {
    /// Whether the statement may have taken effect although it failed.
    package var leavesOutcomeOpen: Bool {
        switch code {
        case .connectionLost, .commitUnknown: true
        // With a SQLSTATE the server has cancelled it.
        case .timedOut, .cancelled: sqlState == nil && !isBeforeSending
        // The server went down, maybe after the commit.
        default: sqlState?.hasPrefix("57P") ?? false
        }
    }
}
