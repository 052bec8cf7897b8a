import LibPQ
import Synchronization

/// A slot of an idle worker that is kept for the run which a statement claims.
///
/// Given up when it is dropped.
package final class SlotReservation: Sendable {
    private let session: WorkerSession
    private let slot: Int
    private let kind: BesideHabit.Kind
    private let isUsed = Atomic<Bool>(false)

    init(session: WorkerSession, slot: Int, kind: BesideHabit.Kind) {
        self.session = session
        self.slot = slot
        self.kind = kind
    }

    deinit {
        if !isUsed.load(ordering: .relaxed) {
            session.worker.slotTable.give(back: slot)
            session.worker.room.signal()
        }
        session.stoppedClaimingBeside()
    }

    package var holder: ClaimHolder { session.holder }
    /// Whole seconds.
    package var claimTimeout: Int { session.worker.claimTimeout }
    package var taskNames: [String] { session.worker.handlers.taskNames }

    /// Executes the run, which the statement has claimed.
    ///
    /// - Parameter checkpoints: Nil when they are to be loaded first.
    package func execute(_ run: ClaimedRun, checkpoints: [String: JSONText?]?) {
        session.observer.report(.claimed(count: 1))
        if let checkpoints { return launch(run, checkpoints) }
        session.claimsBeside.start {
            do {
                let loaded = try await self.session.writer.loadCheckpoints(runs: [run.info.runID])
                self.launch(run, loaded[run.info.runID] ?? [:])
            } catch {
                await self.session.giveBack([run])
            }
        }
    }

    private func launch(_ run: ClaimedRun, _ checkpoints: [String: JSONText?]) {
        guard session.isTaking else {
            // The end came while the statement was under way. The slot is kept until the run has been given back.
            return session.claimsBeside.start { await self.session.giveBack([run]) }
        }
        let context = session.context(of: run, checkpoints)
        isUsed.store(true, ordering: .relaxed)
        session.worker.slotTable.use(slot, for: context)
        session.start(context, in: slot)
        // Others are to look for work now.
        if session.worker.slotTable.freeCount == 0 { session.interruptWaiting() }
    }

    package var manner: BesideManner { session.besideHabit.withLock(\.manner) }

    /// The server does not let it be called so.
    func isRefused(_ manner: BesideManner) { session.besideHabit.withLock { $0.refused(manner) } }

    /// Returns what `body`, which sends the statement, does.
    ///
    /// Nil also when the server has refused it: it is to be sent as if there were no worker, and is answered so.
    ///
    /// - Throws: The error that leaves open whether the statement has claimed a run, and that of one that was stopped.
    func claiming<Answer>(_ body: () async throws -> Answer?) async throws -> Answer? {
        do {
            let answer = try await body()
            session.besideHabit.withLock { $0.answered(kind, isEmpty: answer == nil) }
            return answer
        } catch let error as PostgresError {
            session.doubtClaim(after: error)
            if error.sqlState == "AS009" { session.lose() }
            guard error.sqlState != nil, error.sqlState != "57014", !error.leavesOutcomeOpen else {
                throw error
            }
            session.besideHabit.withLock { $0.answered(kind, isEmpty: true) }
            return nil
        } catch {
            // It may have claimed a run, which cannot be read here.
            session.doubt.withLock { $0.answerLost(at: .now, limit: session.worker.client.statementTimeout) }
            throw error
        }
    }
}
