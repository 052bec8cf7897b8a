package import LibPQ
import Synchronization

/// Spawns and emits for all callers of one client: what concurrent calls want gathers by queue and goes together.
///
/// Not a promise less for it: a call returns when its own row is committed, a row that is refused fails alone, and a
/// call that finds nothing under way is sent at once.
package final class Producer: Sendable {
    private struct Lanes {
        let spawns: BatchLane<SpawnRow, SpawnAnswer>
        let emits: BatchLane<EmitRow, EmitAnswer>
    }

    private let pool: PostgresPool
    private let lanes = Mutex<[String: Lanes]>([:])

    package init(pool: PostgresPool) { self.pool = pool }

    /// - Throws: `PostgresError`, `CancellationError`.
    package func spawn(_ row: SpawnRow, on queue: String) async throws -> SpawnAnswer {
        let lane = lanes(of: queue).spawns
        for _ in 0..<3 {
            let answer = try await lane.submitUnlessCancelled(row, bytes: row.byteCount)
            // The task of the row's idempotency key was deleted meanwhile.
            if case .refused("40001", _) = answer { continue }
            return answer
        }
        return try await lane.submitUnlessCancelled(row, bytes: row.byteCount)
    }

    /// - Throws: `PostgresError`, `CancellationError`.
    package func emit(_ row: EmitRow, on queue: String) async throws -> EmitAnswer {
        try await lanes(of: queue).emits.submitUnlessCancelled(row, bytes: row.byteCount)
    }

    private func lanes(of queue: String) -> Lanes {
        lanes.withLock { lanes in
            if let known = lanes[queue] { return known }
            let made = Lanes(
                spawns: Self.lane(pool) { pool, rows, isCancellable in
                    let statement = SpawnStatement(queue: queue, rows: rows)
                    return try statement.decode(
                        try await pool.query(
                            SpawnStatement.sql, statement.parameters, isCancellable: isCancellable))
                },
                emits: Self.lane(pool) { pool, rows, isCancellable in
                    let statement = EmitStatement(queue: queue, rows: rows)
                    return try statement.decode(
                        try await pool.query(
                            EmitStatement.sql, statement.parameters, isCancellable: isCancellable))
                })
            lanes[queue] = made
            return made
        }
    }

    private static func lane<Row, Answer>(
        _ pool: PostgresPool,
        _ statement:
            @escaping @Sendable (_ pool: PostgresPool, _ rows: [Row], _ isCancellable: Bool) async throws ->
            [Answer]
    ) -> BatchLane<Row, Answer> {
        BatchLane { rows, isAlone in
            await deliver(rows, isAlone) { try await statement(pool, $0, $1) }
        }
    }

    /// Sends rows, and one by one those whose company is their trouble.
    ///
    /// The statement is cancelled with its caller only when no other caller's row is in it.
    private static func deliver<Row, Answer>(
        _ rows: [Row], _ isAlone: Bool,
        _ send: (_ rows: [Row], _ isCancellable: Bool) async throws -> [Answer]
    ) async -> [Result<Answer, any Error>] {
        do {
            return try await resendingAfterConflict(attempts: 8, singleRow: rows.count == 1) {
                try await send(rows, isAlone)
            }.map { .success($0) }
        } catch {
            guard rows.count > 1, isWorthSendingSingly(error) else {
                return rows.map { _ in .failure(error) }
            }
            var results: [Result<Answer, any Error>] = []
            for row in rows { results += await deliver([row], false, send) }
            return results
        }
    }

    /// Whether the error can be that of one row: a lock that somebody holds on what it needs, or a value.
    private static func isWorthSendingSingly(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError else { return false }
        return error.isLockConflict || !error.isTransient
    }
}
