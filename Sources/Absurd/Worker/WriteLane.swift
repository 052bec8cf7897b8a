import LibPQ
import Synchronization

/// A row that ``RunWriter`` sends.
package protocol LaneWrite: Sendable {
    /// About how much room the row takes in a statement.
    var byteCount: Int { get }
}

/// The answer to a ``LaneWrite``.
package protocol LaneAnswer: Sendable {
    static func refused(_ refusal: Refusal) -> Self
    var refusal: Refusal? { get }
}

extension LaneAnswer {
    fileprivate var isBusy: Bool { refusal == .busy }
}

/// Sends the writes of one kind, together where they gather, each until it has an answer.
///
/// Lock order alone does not exclude deadlocks with the functions of other SDKs. So a statement first waits for
/// locks, briefly; after a conflict it is sent again so that it waits for none; and each row that was found locked
/// then goes alone, with pauses, until it is not. In this way one row that somebody holds for long keeps nobody
/// else waiting (`docs/sql.md`, lock order).
package final class WriteLane<Write: LaneWrite, Answer: LaneAnswer>: Sendable {
    package typealias Statement =
        @Sendable (_ writes: [Write], _ waitsForLocks: Bool) async throws -> [Answer]

    private let together: BatchLane<Write, Answer>
    private let singly: BatchLane<Write, Answer>
    private let statement: Statement
    private let delivery: Delivery
    private let persisting = Mutex(StatementStarts())
    private let persisters = LeavableTasks()

    package init(_ delivery: Delivery, _ limits: BatchLimits, _ statement: @escaping Statement) {
        self.delivery = delivery
        self.statement = statement
        together = BatchLane(limits: limits) { writes, _ in
            await Self.deliver(writes, waitsForLocks: true, delivery, statement)
        }
        // Two, so that rows that nobody holds any more get past one whose statement has to wait.
        singly = BatchLane(limits: BatchLimits(rows: 1, statements: 2)) { writes, _ in
            await Self.deliver(
                writes, waitsForLocks: false, delivery, statement, timeouts: Self.timeoutsAlone)
        }
    }

    /// Since when the oldest statement is under way, its repetitions included, or the oldest row that is locked is
    /// sent again and again; nil when there is neither.
    package var busySince: ContinuousClock.Instant? {
        [together.busySince, persisting.withLock(\.oldest)].compactMap(\.self).min()
    }

    /// Returns when every row has its answer, or when the current task is cancelled.
    package func settled() async {
        await together.settled()
        await persisters.ended()
    }

    /// How many rows wait for the common statement under way to end.
    package var pendingCount: Int { together.pendingCount }

    package func send(_ write: Write) async throws -> Answer {
        let answer = try await together.submit(write, bytes: write.byteCount)
        guard answer.isBusy else { return answer }
        // In a task of its own, so that it goes on when its caller's thread is taken meanwhile.
        let seat = Seat<Result<Answer, any Error>>()
        persisters.start {
            do {
                seat.give(.success(try await self.persist(write)))
            } catch {
                seat.give(.failure(error))
            }
        }
        return try await seat.turn().get()
    }

    /// Sends several writes in one statement, beside the lane, and those that were found locked again until they are
    /// not, or the current task is cancelled.
    package func sendAll(_ writes: [Write], _ delivery: Delivery) async throws -> [Answer] {
        var answers = try await Self.deliver(writes, waitsForLocks: true, delivery, statement)
            .map { try $0.get() }
        var pauses = Backoff(base: .milliseconds(10), cap: .milliseconds(250))
        while true {
            let busy = answers.indices.filter { answers[$0].isBusy }
            guard !busy.isEmpty, (try? await Task.sleep(for: pauses.next())) != nil else { return answers }
            let again = await Self.deliver(busy.map { writes[$0] }, waitsForLocks: false, delivery, statement)
            for (index, result) in zip(busy, again) {
                if let answer = try? result.get() { answers[index] = answer }
            }
        }
    }

    /// How often the server may say of a row that is sent alone that it took too long, before it is refused.
    private static var timeoutsAlone: Int { 2 }

    /// Sends a row that was found locked until it is not.
    private func persist(_ write: Write) async throws -> Answer {
        let start = persisting.withLock { $0.begin(at: .now) }
        defer { persisting.withLock { $0.end(start) } }
        var pauses = Backoff(base: .milliseconds(10), cap: .milliseconds(250))
        while true {
            await sleepDespiteCancellation(for: pauses.next())
            let answer = try await singly.submit(write, bytes: write.byteCount)
            if !answer.isBusy || delivery.isStopped { return answer }
        }
    }

    private static func deliver(
        _ writes: [Write], waitsForLocks: Bool, _ delivery: Delivery, _ statement: Statement,
        timeouts: Int = 0
    ) async -> [Result<Answer, any Error>] {
        do {
            do {
                return try await delivery.persisting(timeouts: timeouts) {
                    try await statement(writes, waitsForLocks)
                }.map { .success($0) }
            } catch let error as PostgresError where error.isLockConflict && waitsForLocks {
                return try await delivery.persisting(timeouts: timeouts) {
                    try await statement(writes, false)
                }.map { .success($0) }
            }
        } catch let error as PostgresError
            where error.isLockConflict || error.tookTooLong && timeouts == 0
        {
            // An open transaction has just inserted one of the keys, and nobody can skip that. Or one of the rows takes
            // longer than a statement may, say for its size, and keeps the others waiting: alone it will show which.
            return writes.map { _ in .success(.refused(.busy)) }
        } catch {
            guard writes.count > 1, error is PostgresError else {
                return writes.map { _ in .failure(translated(error)) }
            }
            // Refused as a whole, for what may be the fault of one row: each goes alone.
            var results: [Result<Answer, any Error>] = []
            for write in writes {
                results += await deliver([write], waitsForLocks: waitsForLocks, delivery, statement)
            }
            return results
        }
    }

    private static func translated(_ error: any Error) -> any Error {
        (error as? PostgresError).map { AbsurdError($0) } ?? error
    }
}
