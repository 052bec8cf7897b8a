import LibPQ
import TestSupport
import Testing

/// What statements read: rows and indexes, not time.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct CostTests {
    /// Never analyzed, analyzed, and with statistics from when the table was nearly empty.
    enum Statistics: CaseIterable, Sendable {
        case none, current, stale
    }

    @Test(
        arguments: [1, 100].flatMap { quantity in StorageMode.allCases.map { (quantity, $0) } },
        Statistics.allCases)
    func `a claim reads what it claims, whatever the backlog`(
        _ claim: (quantity: Int, mode: StorageMode), _ statistics: Statistics
    ) async throws {
        let session = try await Session(claim.mode)
        try await session.prepareBacklog(statistics)
        // Each run is read by the claim and again by its update, its task likewise; the rest is slack.
        try await session.expectReads(atMost: 6 * claim.quantity + 20) {
            let answer = try await session.claim(claim.quantity)
            #expect(answer.count == claim.quantity)
        }
    }

    @Test(arguments: StorageMode.allCases, Statistics.allCases)
    func `sweeps read what they end, not the tasks that have ended or are far from it`(
        _ mode: StorageMode, _ statistics: Statistics
    ) async throws {
        let session = try await Session(mode)
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
        try await session.expectReads(atMost: 26) {
            let answer = try await session.claim()
            #expect(answer.count == 1)
        }
    }

    @Test(arguments: StorageMode.allCases, Statistics.allCases)
    func `cancelling by policy and failing ended leases reads the tasks concerned, not those beside them`(
        _ mode: StorageMode, _ statistics: Statistics
    ) async throws {
        let session = try await Session(mode)
        for _ in 1...10 {
            try await session.running(#"{"max_attempts":1}"#, timeout: 30)
            try await session.running(#"{"cancellation":{"max_duration":20}}"#, timeout: 0)
        }
        try await session.prepareBacklog(statistics, state: "completed")
        try await session.setClock(seconds: 40)
        // Ten runs and ten tasks each; what ends a run one by one looks at it several times.
        try await session.expectReads(atMost: 10 * 16 + 40) {
            let answer = try await session.claim(10)
            #expect(answer.isEmpty)
        }
        #expect(
            try await session.rows("select state, count(*) from absurd.t_jobs group by 1 order by 1")
                == ["(cancelled,10)", "(completed,5000)", "(failed,10)"])
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
        try await session.expectReads(atMost: 20 * 16) {
            let answer = try await session.value("select absurd.cleanup_tasks('jobs', 10, 20)")
            #expect(answer == "20")
        }
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
    /// 5,000 due runs, or tasks that have ended.
    fileprivate func prepareBacklog(
        _ statistics: CostTests.Statistics, state: String = "pending"
    ) async throws {
        if statistics == .stale {
            if state == "pending" { try await spawn() }
            try await run("analyze absurd.r_jobs, absurd.t_jobs")
        }
        try await connection.execute(
            script: """
                do $$
                declare v_table regclass;
                begin
                  for v_table in
                    select oid from pg_class
                     where relkind = 'r' and relnamespace = 'absurd'::regnamespace and relname ~ '^[rt]_jobs'
                  loop
                    execute format('alter table %s set (autovacuum_enabled = off)', v_table);
                  end loop;
                end
                $$
                """)
        try await run(
            """
            with task as (
              insert into absurd.t_jobs (task_id, task_name, params, state, attempts, last_attempt_run)
              select absurd.portable_uuidv7(), 'job', '1', $1, 1, absurd.portable_uuidv7()
                from generate_series(1, 5000)
              returning task_id, last_attempt_run
            )
            insert into absurd.r_jobs (run_id, task_id, attempt, state, available_at)
            select last_attempt_run, task_id, 1, $1, absurd.current_time() - random() * interval '1 hour'
              from task
            """, .text(state))
        if statistics == .current { try await run("analyze absurd.r_jobs, absurd.t_jobs") }
    }

    /// No table is scanned by `work`, and no more rows are fetched through indexes than so many.
    fileprivate func expectReads(
        atMost limit: Int, sourceLocation: SourceLocation = #_sourceLocation, _ work: () async throws -> Void
    ) async throws {
        try await connection.execute(script: "begin")
        let before = try await reads()
        try await work()
        let reads = try await reads() - before
        #expect(reads.sequential == 0, sourceLocation: sourceLocation)
        #expect(reads.byIndex <= limit, "\(reads)", sourceLocation: sourceLocation)
        try await connection.execute(script: "commit")
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
