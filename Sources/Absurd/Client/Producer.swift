package import LibPQ
import Synchronization

/// Spawns and emits for all callers of one client: what concurrent calls want gathers by queue and goes together.
///
/// Not a promise less for it: a call returns when its own row is committed, a row that is refused fails alone, one that
/// somebody holds locked waits alone, and a call that finds nothing under way is sent at once. While the server is away
/// a call waits for it as one that is sent alone does.
package final class Producer: Sendable {
    private struct Lanes {
        let spawns: ProducerLane<SpawnRow, SpawnAnswer>
        let emits: ProducerLane<EmitRow, EmitAnswer>
    }

    /// Keeps a slot of an idle worker, if the client has one.
    package typealias ReserveSlot = @Sendable (_ queue: String, _ taskName: String?) -> SlotReservation?

    private let pool: PostgresPool
    private let reserveSlot: ReserveSlot
    private let lanes = Mutex<[String: Lanes]>([:])

    package init(pool: PostgresPool, reserveSlot: @escaping ReserveSlot = { _, _ in nil }) {
        self.pool = pool
        self.reserveSlot = reserveSlot
    }

    /// - Throws: `PostgresError`, `CancellationError`.
    package func spawn(_ row: SpawnRow, on queue: String) async throws -> SpawnAnswer {
        let lane = lanes(of: queue).spawns
        for _ in 0..<3 {
            let answer = try await lane.send(row, bytes: row.byteCount)
            // The task of the row's idempotency key was deleted meanwhile.
            if case .refused("40001", _) = answer { continue }
            return answer
        }
        return try await lane.send(row, bytes: row.byteCount)
    }

    /// - Throws: `PostgresError`, `CancellationError`.
    package func emit(_ row: EmitRow, on queue: String) async throws -> EmitAnswer {
        try await lanes(of: queue).emits.send(row, bytes: row.byteCount)
    }

    /// How many rows for a queue wait for a common statement under way to end.
    package func pendingCount(on queue: String) -> Int {
        let lanes = lanes(of: queue)
        return lanes.spawns.pendingCount + lanes.emits.pendingCount
    }

    private func lanes(of queue: String) -> Lanes {
        let (pool, reserveSlot) = (pool, reserveSlot)
        return lanes.withLock { lanes in
            if let known = lanes[queue] { return known }
            let made = Lanes(
                spawns: ProducerLane { rows, isCancellable in
                    if rows.count == 1, let slot = reserveSlot(queue, rows[0].taskName),
                        let answer = try await rows[0].spawnAndClaim(slot, pool, isCancellable)
                    {
                        return [answer]
                    }
                    let statement = SpawnStatement(queue: queue, rows: rows)
                    return try statement.decode(
                        try await pool.query(
                            statement.sql, statement.parameters, isCancellable: isCancellable))
                },
                emits: ProducerLane { rows, isCancellable in
                    if rows.count == 1, let slot = reserveSlot(queue, nil),
                        let answer = try await rows[0].emitAndClaim(slot, pool, isCancellable)
                    {
                        return [answer]
                    }
                    let statement = EmitStatement(queue: queue, rows: rows)
                    return try statement.decode(
                        try await pool.query(
                            EmitStatement.sql, statement.parameters, isCancellable: isCancellable))
                })
            lanes[queue] = made
            return made
        }
    }
}
