import LibPQ

/// Sends rows of one kind into one queue, together where they gather, each until it has an answer of its own.
///
/// A statement for several rows that meets a lock, or that is refused, does not say which row is at fault. So each of
/// its rows goes alone then, and one that is found locked alone goes on beside those, with pauses. The common lane is
/// free again at once: a row in trouble delays those that went with it until each was sent alone, and nobody else.
final class ProducerLane<Row: Sendable, Answer: Sendable>: Sendable {
    typealias Statement =
        @Sendable (_ rows: [Row], _ isCancellable: Bool) async throws -> [Answer]

    private enum Reply: Sendable {
        case answer(Answer)
        /// The row is to be sent alone: it, or one that was sent with it, is locked or refused.
        case trouble(PostgresError)
    }

    /// How often a row is sent that others hold locked, each time for the 200 ms that a statement waits for locks.
    private static var attempts: Int { 8 }

    private let together: BatchLane<Row, Reply>
    private let singly: BatchLane<Row, Reply>
    private let held: BatchLane<Row, Reply>

    init(_ statement: @escaping Statement) {
        together = BatchLane(regathers: true) { await Self.deliver($0, $1, statement) }
        // Two, so that the others get past one whose statement has to wait.
        let limits = BatchLimits(rows: 1, statements: 2)
        singly = BatchLane(limits: limits) { await Self.deliver($0, $1, statement) }
        held = BatchLane(limits: limits) { await Self.deliver($0, $1, statement) }
    }

    /// How many rows wait for the common statement under way to end.
    var pendingCount: Int { together.pendingCount }

    /// - Throws: `PostgresError`, `CancellationError`.
    func send(_ row: Row, bytes: Int) async throws -> Answer {
        var pauses = Backoff(base: .milliseconds(10), cap: .milliseconds(500))
        var attempt = 1
        while true {
            let lane = attempt == 1 ? together : attempt == 2 ? singly : held
            switch try await lane.submitUnlessCancelled(row, bytes: bytes) {
            case .answer(let answer): return answer
            case .trouble(let error):
                guard attempt < Self.attempts else { throw error }
                // The second attempt only finds out whose trouble it is.
                if attempt > 1 { try await Task.sleep(for: pauses.next()) }
                attempt += 1
            }
        }
    }

    /// The statement is cancelled with its caller only when no other caller's row is in it.
    private static func deliver(
        _ rows: [Row], _ isAlone: Bool, _ statement: Statement
    ) async -> [Result<Reply, any Error>] {
        do {
            return try await resendingAfterLoss(attempts: 8, isCancellable: isAlone) {
                try await statement(rows, isAlone)
            }.map { .success(.answer($0)) }
        } catch let error as PostgresError
            where error.isLockConflict || rows.count > 1 && !error.isTransient
        {
            return rows.map { _ in .success(.trouble(error)) }
        } catch {
            return rows.map { _ in .failure(error) }
        }
    }
}
