import Foundation
import LibPQ

/// The same calls, made to the database.
struct ModelDatabase {
    static let pollDelay = 15
    /// Microseconds from the Unix epoch to Postgres' own.
    private static let epoch: Int64 = 946_684_800_000_000
    let connection: PostgresConnection

    func create() async throws {
        _ = try await connection.query("select absurd.create_queue('m')")
    }

    func empty() async throws {
        try await connection.execute(
            script:
                "truncate absurd.t_m, absurd.r_m, absurd.c_m, absurd.e_m, absurd.w_m, absurd_swift.result_waits"
        )
    }

    func setClock(_ now: Int64) async throws {
        _ = try await connection.query(
            """
            select set_config('absurd.fake_now',
              (timestamptz 'epoch' + $1::bigint * interval '1 microsecond')::text, false)
            """, [.int(now)])
    }

    /// What is stored, a line for each row, sorted.
    ///
    /// Left out are the times at which rows were made (`enqueue_at`, `created_at`, `emitted_at`, `updated_at`), what no
    /// history varies (names, parameters, headers, retry strategies, policies, `status`), and `cancel_at`, which needs a policy.
    func snapshot() async throws -> [String] {
        let rows = try await connection.query(Self.snapshotStatement)
        return try rows.map { try $0.decode(0, as: String.self) }.sorted()
    }

    private static func micros(_ column: String) -> String {
        "(extract(epoch from \(column)) * 1000000)::bigint"
    }

    private static let snapshotStatement = """
        select format('t %s %s attempts=%s max=%s last=%s first=%s cancelled=%s result=%s key=%s', task_id, state,
          attempts, max_attempts, last_attempt_run, \(micros("first_started_at")), \(micros("cancelled_at")),
          completed_payload, idempotency_key)
        from absurd.t_m
        union all
        select format('r %s %s %s %s by=%s expires=%s at=%s wake=%s payload=%s started=%s completed=%s failed=%s'
            || ' result=%s reason=%s',
          task_id, attempt, run_id, state, claimed_by, \(micros("claim_expires_at")),
          case when available_at < 'infinity' then \(micros("available_at"))::text else 'infinity' end,
          wake_event, event_payload, \(micros("started_at")), \(micros("completed_at")), \(micros("failed_at")),
          result,
          coalesce(failure_reason->>'name', failure_reason::text))
        from absurd.r_m
        union all
        select format('c %s %s=%s of %s', task_id, checkpoint_name,
          coalesce('snapshot:' || (state->>'state'), state::text), owner_run_id)
        from absurd.c_m
        union all
        select format('e %s=%s', event_name, payload) from absurd.e_m
        union all
        select format('w %s %s %s %s', run_id, step_name, event_name, \(micros("timeout_at"))) from absurd.w_m
        union all
        select format('p %s %s %s', task_id, run_id, \(micros("token"))) from absurd_swift.result_waits
        """

    /// The one row's text, or the SQLSTATE of the error.
    func answer(_ sql: String, _ parameters: [SQLParameter]) async throws -> String {
        do {
            let rows = try await connection.query(sql, parameters)
            return try rows.map { try $0.decode(0, as: String.self) }.joined(separator: ",")
        } catch let error as PostgresError where error.sqlState == "P0001" {
            return "P0001"
        }
    }

    func spawn(_ task: QueueModel.Task) async throws -> String {
        var options: [String] = []
        if let limit = task.maxAttempts { options.append("\"max_attempts\": \(limit)") }
        if let delay = task.retryDelay {
            options.append("\"retry_strategy\": {\"kind\": \"fixed\", \"base_seconds\": \(delay)}")
        }
        if let key = task.key { options.append("\"idempotency_key\": \"k\(key)\"") }
        return try await answer(
            """
            select created || ' ' || task_id
            from absurd_swift.spawn('m', array[$1::uuid], array[$2::uuid], array['t'], array['{}'], array[$3::text])
            """,
            [.uuid(task.id), .uuid(task.runs[0].id ?? task.id), .text("{\(options.joined(separator: ","))}")])
    }

    func claim(worker: String, timeout: Int, limit: Int) async throws -> String {
        try await answer(
            "select run_id || ' ' || \(Self.micros("token")) from absurd_swift.claim('m', $1, $2, $3)",
            [.text(worker), .int(Int64(timeout)), .int(Int64(limit))])
    }

    func finish(
        _ claim: QueueModel.Claim, _ run: UUID, _ action: String, _ payload: String? = nil,
        step: String? = nil,
        delay: Int? = nil
    ) async throws -> String {
        try await answer(
            "select answer from absurd_swift.finish('m', $1, $2, $3, $4, $5, $6, $7, $8)",
            fence(claim, run) + [
                .textArray([action]), .textArray([payload]), .textArray([step]), .timestampArray([nil]),
                .doubleArray([delay.map(Double.init)]),
            ])
    }

    func fence(_ claim: QueueModel.Claim, _ run: UUID) -> [SQLParameter] {
        [
            .text(claim.worker), .uuidArray([run]),
            .timestampArray([PostgresTimestamp(microseconds: claim.token - Self.epoch)]),
        ]
    }
}
