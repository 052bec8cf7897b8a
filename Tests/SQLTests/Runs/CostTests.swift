import LibPQ
import TestSupport
import Testing

/// What statements read: rows and indexes, not time.
@Suite(.database(.migrated), .timeLimit(.minutes(2)))
struct CostTests {
    /// Never analyzed, analyzed, and with statistics from when the table was nearly empty.
    enum Statistics: CaseIterable, Sendable {
        case none, current, stale
    }

    @Test(arguments: Statistics.allCases, [1, 100])
    func `a claim reads what it claims, whatever the backlog`(_ statistics: Statistics, _ quantity: Int)
        async throws
    {
        let session = try await Session(.unpartitioned)
        try await session.prepareBacklog(statistics)
        try await session.connection.execute(script: "begin")
        let before = try await session.reads()
        #expect(try await session.claim(quantity).count == quantity)
        // Each run is read by the claim and again by its update, its task likewise; the rest is slack.
        let reads = try await session.reads() - before
        #expect(reads.sequential == 0)
        #expect(reads.byIndex <= 6 * quantity + 20, "\(reads)")
        try await session.connection.execute(script: "rollback")
    }

    @Test(arguments: Statistics.allCases)
    func `sweeps read what they end, not the tasks that have ended or are far from it`(
        _ statistics: Statistics
    ) async throws {
        let session = try await Session(.unpartitioned)
        try await session.prepareBacklog(statistics)
        try await session.run(
            """
            update absurd.t_jobs set cancellation = '{"max_duration": 5}', state = 'completed'
             where task_id in (select task_id from absurd.t_jobs limit 2000)
            """)
        try await session.run(
            """
            update absurd.r_jobs r set state = 'completed', cancel_at = absurd.current_time() - interval '1 hour'
              from absurd.t_jobs t where t.task_id = r.task_id and t.state = 'completed'
            """)
        try await session.connection.execute(script: "begin")
        let before = try await session.reads()
        #expect(try await session.claim().count == 1)
        let reads = try await session.reads() - before
        #expect(reads.sequential == 0)
        #expect(reads.byIndex <= 26, "\(reads)")
        try await session.connection.execute(script: "rollback")
    }

    @Test(arguments: Statistics.allCases)
    func `cleanup reads what it deletes`(_ statistics: Statistics) async throws {
        let session = try await Session(.unpartitioned)
        try await session.prepareBacklog(statistics)
        try await session.run(
            """
            with ended as (
              update absurd.r_jobs set state = 'completed',
                     completed_at = absurd.current_time() - interval '1 s' * (row_number / 10)
                from (select run_id as id, row_number() over () from absurd.r_jobs limit 3000) as n
               where run_id = id
              returning task_id
            )
            update absurd.t_jobs set state = 'completed' where task_id in (select task_id from ended)
            """)
        if statistics == .current { try await session.run("analyze") }
        try await session.connection.execute(script: "begin")
        let before = try await session.reads()
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 10, 20)") == "20")
        let reads = try await session.reads() - before
        #expect(reads.sequential == 0)
        #expect(reads.byIndex <= 20 * 16, "\(reads)")
        try await session.connection.execute(script: "rollback")
    }

    @Test func `a task's updates stay on their page`() async throws {
        let session = try await Session(.unpartitioned)
        for _ in 1...20 { try await session.spawn() }
        try await session.connection.execute(script: "begin")
        for run in try await session.claim(20) { try await session.complete(run) }
        #expect(
            try await session.rows(
                "select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relid = 'absurd.t_jobs'::regclass"
            )
                == ["(40,40)"])
        try await session.connection.execute(script: "commit")
    }

    // What the tests of 0.5.1 ask for.
    @Test(arguments: [
        (
            "select run_id from absurd.r_jobs where state = 'running' and claim_expires_at <= now() for update skip locked",
            "r_jobs_cei"
        ),
        ("delete from absurd.w_jobs where task_id = '00000000-0000-7000-8000-000000000000'", "w_jobs_ti"),
        ("select * from absurd.e_jobs where emitted_at < now() order by emitted_at limit 10", "e_jobs_eai"),
        (
            "select run_id from absurd.r_jobs where state in ('pending','sleeping') and available_at <= now() order by available_at, run_id limit 1",
            "r_jobs_rdy"
        ),
    ])
    func `plans use the index`(_ query: String, _ index: String) async throws {
        let session = try await Session(.unpartitioned)
        try await session.run("set enable_seqscan = off")
        let plan = try await session.connection.query("explain \(query)").map {
            try $0.decode(0, as: String.self)
        }
        #expect(plan.contains { $0.contains(index) }, "\(plan)")
    }

    @Test(arguments: StorageMode.allCases)
    func `the indexes are these`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let common = "c_jobs_pkey e_jobs_eai e_jobs_pkey"
        let registry = mode == .partitioned ? " i_jobs_pkey i_jobs_ti" : ""
        let unique = mode == .unpartitioned ? " t_jobs_idempotency_key_key" : ""
        #expect(
            try await session.value(
                """
                select string_agg(indexname, ' ' order by indexname) from pg_indexes
                 where schemaname = 'absurd' and tablename ~ '^[trcewi]_jobs$'
                """)
                == common + registry
                + " r_jobs_cai r_jobs_cei r_jobs_fti r_jobs_pkey r_jobs_rdy r_jobs_ti t_jobs_ci t_jobs_cti"
                + unique + " t_jobs_pkey w_jobs_eni w_jobs_pkey w_jobs_ti")
    }
}

extension Session {
    /// 5,000 due runs.
    fileprivate func prepareBacklog(_ statistics: CostTests.Statistics) async throws {
        if statistics == .stale {
            try await spawn()
            try await run("analyze absurd.r_jobs, absurd.t_jobs")
        }
        try await run("alter table absurd.r_jobs set (autovacuum_enabled = off)")
        try await run("alter table absurd.t_jobs set (autovacuum_enabled = off)")
        try await run("select absurd.spawn_task('jobs', 'job', '1') from generate_series(1, 5000)")
        try await run(
            "update absurd.r_jobs set available_at = absurd.current_time() - random() * interval '1 hour'")
        if statistics == .current { try await run("analyze absurd.r_jobs, absurd.t_jobs") }
    }

    /// Rows of the queue's tables that this session has read, as far as its transaction knows.
    fileprivate func reads() async throws -> Reads {
        let rows = try await connection.query(
            """
            select coalesce(sum(seq_tup_read), 0)::bigint as sequential,
                   coalesce(sum(idx_tup_fetch), 0)::bigint as by_index
              from pg_stat_xact_user_tables where schemaname = 'absurd' and relname ~ '_jobs'
            """)
        let row = try #require(rows.first)
        return Reads(sequential: try row.decode("sequential"), byIndex: try row.decode("by_index"))
    }
}

private struct Reads {
    var sequential: Int
    var byIndex: Int

    static func - (left: Reads, right: Reads) -> Reads {
        Reads(sequential: left.sequential - right.sequential, byIndex: left.byIndex - right.byIndex)
    }
}
