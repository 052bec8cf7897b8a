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

    private typealias Lane = BatchLane<Write, Answer>

    private let together: Lane
    /// For rows that were found locked, or were in a statement that took too long.
    private let singly: Lane
    /// For those that took too long alone.
    private let slowly: Lane
    private let statement: Statement
    private let delivery: Delivery
    private let persisting = Mutex(StatementStarts())
    private let persisters = LeavableTasks()
    private let afterAnswers: @Sendable () -> Void

    /// - Parameter afterAnswers: Called when all rows of a statement have got their answers.
    package init(
        _ delivery: Delivery, _ limits: BatchLimits, afterAnswers: @escaping @Sendable () -> Void = {},
        _ statement: @escaping Statement
    ) {
        self.delivery = delivery
        self.statement = statement
        self.afterAnswers = afterAnswers
        together = Lane(limits: limits, afterAnswers: afterAnswers) { writes, _ in
            await Self.deliver(writes, waitsForLocks: true, delivery, statement)
        }
        // Two, so that rows that nobody holds any more get past one whose statement has to wait.
        let alone = BatchLimits(rows: 1, statements: 2)
        singly = Lane(limits: alone) { writes, _ in
            await Self.deliver(writes, waitsForLocks: false, delivery, statement)
        }
        slowly = Lane(limits: alone) { writes, _ in
            await Self.deliver(writes, waitsForLocks: false, delivery, statement)
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
        let seat = Seat<Result<Answer, any Error>>()
        post(write) { seat.give($0) }
        return try await seat.turn().get()
    }

    /// The same for a caller who does not wait.
    ///
    /// - Parameter receive: Called on a shared thread, so it must neither block nor take long.
    package func post(
        _ write: Write, _ receive: @escaping @Sendable (_ answer: Result<Answer, any Error>) -> Void
    ) {
        together.post(write, bytes: write.byteCount) { result in
            switch result {
            case .success(let answer) where answer.isBusy: self.persistBeside(write, receive)
            // One of the rows, say for its size; alone it will show which.
            case .failure(is TookTooLong): self.persistBeside(write, receive)
            case .success, .failure: receive(result)
            }
        }
    }

    /// In a task of its own, so that it goes on when its caller's thread is taken meanwhile.
    private func persistBeside(
        _ write: Write, _ receive: @escaping @Sendable (_ answer: Result<Answer, any Error>) -> Void
    ) {
        persisters.start {
            do {
                receive(.success(try await self.persist(write)))
            } catch {
                receive(.failure(error))
            }
            self.afterAnswers()
        }
    }

    /// How often a row may take too long alone before it is refused.
    private static var attemptsAlone: Int { 3 }

    /// Sends a row alone until it has an answer.
    private func persist(_ write: Write) async throws -> Answer {
        let start = persisting.withLock { $0.begin(at: .now) }
        defer { persisting.withLock { $0.end(start) } }
        var pauses = Backoff(base: .milliseconds(10), cap: .milliseconds(250))
        var timeouts = 0
        while true {
            await sleepDespiteCancellation(for: pauses.next())
            do {
                let lane = timeouts == 0 ? singly : slowly
                let answer = try await lane.submit(write, bytes: write.byteCount)
                if !answer.isBusy || delivery.isStopped { return answer }
            } catch let failure as TookTooLong {
                timeouts += 1
                guard timeouts < Self.attemptsAlone else { throw AbsurdError(failure.error) }
            }
        }
    }

    /// Sends several writes in one statement, beside the lanes, and those that were found locked again until they are
    /// not, or the current task is cancelled.
    package func sendAll(_ writes: [Write], _ delivery: Delivery) async throws -> [Answer] {
        func deliver(_ writes: [Write], waitsForLocks: Bool) async throws -> [Answer] {
            try await Self.deliver(
                writes, waitsForLocks: waitsForLocks, delivery, statement, repeatsTimeouts: true
            ).map { try $0.get() }
        }
        var answers = try await deliver(writes, waitsForLocks: true)
        var pauses = Backoff(base: .milliseconds(10), cap: .milliseconds(250))
        while true {
            let busy = answers.indices.filter { answers[$0].isBusy }
            guard !busy.isEmpty, (try? await Task.sleep(for: pauses.next())) != nil else { return answers }
            do {
                let again = try await deliver(busy.map { writes[$0] }, waitsForLocks: false)
                for (index, answer) in zip(busy, again) { answers[index] = answer }
            } catch {
                guard Task.isCancelled else { throw error }
                return answers
            }
        }
    }
}

extension WriteLane {
    private static func deliver(
        _ writes: [Write], waitsForLocks: Bool, _ delivery: Delivery, _ statement: Statement,
        repeatsTimeouts: Bool = false
    ) async -> [Result<Answer, any Error>] {
        func deliver(waitsForLocks: Bool) async throws -> [Result<Answer, any Error>] {
            try await delivery.persisting(repeatsTimeouts: repeatsTimeouts) {
                try await statement(writes, waitsForLocks)
            }.map { .success($0) }
        }
        do {
            do {
                return try await deliver(waitsForLocks: waitsForLocks)
            } catch let error as PostgresError where error.isLockConflict && waitsForLocks {
                return try await deliver(waitsForLocks: false)
            }
        } catch let error as PostgresError where error.isLockConflict {
            // An open transaction has just inserted one of the keys, and nobody can skip that.
            return writes.map { _ in .success(.refused(.busy)) }
        } catch {
            guard writes.count > 1, error is PostgresError else {
                return writes.map { _ in .failure(translated(error)) }
            }
            // Refused as a whole, for what may be the fault of one row: each goes alone.
            var results: [Result<Answer, any Error>] = []
            for write in writes {
                results += await Self.deliver(
                    [write], waitsForLocks: waitsForLocks, delivery, statement,
                    repeatsTimeouts: repeatsTimeouts)
            }
            return results
        }
    }

    private static func translated(_ error: any Error) -> any Error {
        (error as? PostgresError).map { AbsurdError($0) } ?? error
    }
}
