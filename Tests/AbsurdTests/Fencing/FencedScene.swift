import Absurd
import LibPQ
import TestSupport
import Testing

/// How worker A loses its claim while it pauses before a write.
enum Takeover: String, CaseIterable, Sendable {
    /// The claim expires, and B claims the next attempt.
    case expired
    /// The run is given back, and B claims the same run.
    case givenBack
    /// The run is parked, as by a part of the handler that ran beside, its event comes, and B claims it.
    case parkedAndWoken
    /// The task is cancelled, and nobody claims it.
    case cancelled
    /// Parked and woken like above, but A itself claims the run again.
    case sameWorker
}

/// A task of worker A that is taken over while A pauses before one kind of write, with all that it takes.
struct FencedScene: Sendable {
    static let queue = "default"
    let client: AbsurdClient
    let store: PausingStore
    let task: TaskHandle<JSONValue>

    /// Takes the run away from A; returns B's claim, or nil when there is no B that is another worker.
    func take(_ takeover: Takeover) async throws -> ClaimedRun? {
        switch takeover {
        case .expired:
            try await execute(
                "update absurd.r_default set claim_expires_at = now() - interval '1 second' where state = 'running'"
            )
        case .givenBack:
            try await execute("select absurd.schedule_run('default', run_id, now()) \(held)")
        case .cancelled:
            try await task.cancel()
            return nil
        case .parkedAndWoken, .sameWorker:
            try await execute(
                "select absurd.await_event('default', task_id, run_id, 'beside', 'woken') \(held)")
            if takeover == .sameWorker {
                let first: PostgresTimestamp = try await value("select started_at from absurd.r_default")
                try await client.emitEvent("woken", 1)
                try await eventually("A has claimed the run again") {
                    try await value(
                        "select state = 'running' and started_at > \(first.literal) from absurd.r_default")
                }
                return nil
            }
            try await client.emitEvent("woken", 1)
        }
        // A has no free slot, so that nobody else claims.
        let claimed = try await client.claimRuns(workerID: "B")
        return claimed.first
    }

    private var held: String { "from absurd.r_default where state = 'running'" }

    func execute(_ sql: String) async throws { _ = try await client.pool.query(sql) }

    func value<Value: SQLDecodable>(_ sql: String) async throws -> Value {
        try await client.pool.query(sql)[0].decode(0)
    }

    /// Everything that is stored of the queue, but until when claims last: their holder may renew them meanwhile.
    func contents() async throws -> [String] {
        var result: [String] = []
        for table in ["t", "r", "c", "e", "w"] {
            result.append(
                try await value(
                    """
                    select coalesce(jsonb_agg(x.row order by x.row::text), '[]')::text
                    from (select to_jsonb(x) - 'claim_expires_at' as row from absurd.\(table)_default x) x
                    """))
        }
        result.append(
            try await value(
                "select coalesce(jsonb_agg(to_jsonb(x)), '[]')::text from absurd_swift.result_waits x"))
        return result
    }
}

extension PostgresTimestamp {
    /// As a literal in SQL.
    fileprivate var literal: String { "timestamptz 'epoch' + interval '\(microseconds) microseconds'" }
}
