import LibPQ
import Testing

/// What calls cost, in rows read.
extension ExtensionQueue {
    /// No table is scanned, those of all queues included, and no more of the queue's rows are fetched than so many for each
    /// row of the call.
    func expectReads(
        perRow: Int, _ rows: Int64, slack: Int = 10, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async throws {
        try await connection.withTransaction { transaction in
            // The session's counters; inside of a transaction nothing takes them away.
            func counters() async throws -> (scans: Int, reads: Int) {
                let row = try await transaction.query(
                    """
                    select sum(seq_scan)::integer as scans,
                      sum(seq_tup_read + idx_tup_fetch) filter (where schemaname = 'absurd')::integer as reads
                      from pg_stat_xact_user_tables
                     where schemaname = 'absurd' and relname ~ '^[trcwei]_q(_|$)'
                        or schemaname = 'absurd_swift'
                    """)[0]
                return (try row.decode("scans"), try row.decode("reads"))
            }
            let before = try await counters()
            try await body()
            let after = try await counters()
            #expect(after.scans == before.scans, sourceLocation: sourceLocation)
            #expect(
                after.reads - before.reads <= perRow * Int(rows) + slack, sourceLocation: sourceLocation)
        }
    }

    /// So that the tables are analyzed when a test says so, and never else.
    func turnAutovacuumOff() async throws {
        let tables = try await connection.query(
            """
            select oid::regclass::text from pg_class
             where relnamespace = 'absurd'::regnamespace and relkind = 'r' and relname ~ '^[trcwei]_q(_|$)'
            """
        ).map { try $0.decode(0, as: String.self) }
        for table in tables { try await run("alter table \(table) set (autovacuum_enabled = off)") }
    }

    /// Adds tasks that are due or have ended, in turns, one run each.
    func fill(_ count: Int64, states: [String] = ["pending"]) async throws {
        try await run(
            """
            with t as (
              insert into absurd.t_q (task_id, task_name, params, state, attempts)
              select absurd.portable_uuidv7(), 'task', '{}', ($2::text[])[1 + n % cardinality($2)], 1
                from generate_series(1, $1::bigint) n
              returning task_id, state
            )
            insert into absurd.r_q (run_id, task_id, attempt, state, available_at)
            select absurd.portable_uuidv7(), task_id, 1, state, absurd.current_time() from t
            """, [.int(count), .textArray(states)])
    }
}
