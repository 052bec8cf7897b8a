import LibPQ
package import Logging
import Synchronization

/// The way back to the database for everything that executions record.
///
/// Sends a write until it has an answer: a lost connection, a restarting server or a lock that somebody holds is
/// nobody's answer. Repeating is harmless, because every write is idempotent under its claim.
package final class RunWriter: Sendable {
    private let store: any RunStore
    private let outages: OutageLog
    private let logger: Logger
    private let isStopped = Atomic<Bool>(false)

    package init(store: any RunStore, outages: OutageLog, logger: Logger) {
        self.store = store
        self.outages = outages
        self.logger = logger
    }

    /// From now on a write that finds no database fails instead of trying again.
    ///
    /// For the end of a worker.
    package func stopRetrying() { isStopped.store(true, ordering: .relaxed) }

    package func finish(_ write: FinishWrite, holder: ClaimHolder) async throws -> FinishAnswer {
        try await finish([write], holder: holder)[0]
    }

    package func finish(_ writes: [FinishWrite], holder: ClaimHolder) async throws -> [FinishAnswer] {
        try await persisting({ $0.contains(.refused(.busy)) }) { wait in
            try await self.store.finish(writes, holder: holder, wait: wait)
        }
    }

    package func checkpoint(_ write: CheckpointWrite, holder: ClaimHolder) async throws -> CheckpointAnswer {
        try await persisting({ $0 == .refused(.busy) }) { wait in
            try await self.store.checkpoint([write], holder: holder, wait: wait)[0]
        }
    }

    package func renew(_ write: RenewWrite, holder: ClaimHolder) async throws -> RenewAnswer {
        try await persisting({ $0 == .refused(.busy) }) { wait in
            try await self.store.renew([write], holder: holder, wait: wait)[0]
        }
    }

    package func awaitEvent(_ write: EventWait, holder: ClaimHolder) async throws -> WaitAnswer {
        try await persisting({ $0 == .refused(.busy) }) { wait in
            try await self.store.awaitEvent([write], holder: holder, wait: wait)[0]
        }
    }

    package func awaitTask(_ write: TaskWait, holder: ClaimHolder) async throws -> WaitAnswer {
        try await persisting({ $0 == .refused(.busy) }) { wait in
            try await self.store.awaitTask([write], holder: holder, wait: wait)[0]
        }
    }

    package func loadCheckpoints(
        queue: String, runs: [RunID]
    ) async throws -> [RunID: [String: JSONText?]] {
        try await persisting({ _ in false }) { _ in
            try await self.store.loadCheckpoints(queue: queue, runs: runs)
        }
    }
}

extension RunWriter {
    /// Sends until there is an answer that is not `busy`.
    ///
    /// The statement waits for locks only briefly; after a conflict it is sent so that it waits for none, and what
    /// it then finds locked is sent again after a pause (`docs/sql.md`, lock order).
    private func persisting<Answer>(
        _ isBusy: (Answer) -> Bool, _ send: (_ wait: Bool) async throws -> Answer
    ) async throws -> Answer {
        var waits = true
        var conflicts = Backoff(base: .milliseconds(10), cap: .milliseconds(250))
        var outage = Backoff(base: .milliseconds(50), cap: .seconds(1))
        while true {
            do {
                let answer = try await send(waits)
                outages.succeeded(logger)
                guard isBusy(answer) else { return answer }
                waits = true
                await sleepDespiteCancellation(for: conflicts.next())
            } catch let error as PostgresError where error.isLockConflict {
                waits = false
            } catch let error as PostgresError where error.isTransient {
                guard !isStopped.load(ordering: .relaxed) else { throw AbsurdError(error) }
                outages.failed(error, logger)
                await sleepDespiteCancellation(for: outage.next())
            } catch let error as PostgresError {
                throw AbsurdError(error)
            }
        }
    }
}
