import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct QueueTests {
    @Test func `a name has 1 to 57 bytes`() async throws {
        let session = try await Session()
        for name in [String(repeating: "a", count: 57), " ", #"q"x 'y"#, String(repeating: "é", count: 28)] {
            #expect(try await session.value("select absurd.validate_queue_name($1)", .text(name)) == name)
        }
        for name in ["", String(repeating: "a", count: 58), String(repeating: "é", count: 29)] {
            #expect(
                try await session.sqlState("select absurd.validate_queue_name($1)", .text(name)) == "P0001")
            #expect(try await session.sqlState("select absurd.create_queue($1)", .text(name)) == "P0001")
        }
        #expect(try await session.sqlState("select absurd.validate_queue_name(null)") == "P0001")
    }

    @Test(arguments: StorageMode.allCases)
    func `the longest and the strangest names work from creation to dropping`(_ mode: StorageMode)
        async throws
    {
        let session = try await Session()
        for name in [String(repeating: "q", count: 57), #"Q "x" 'y' %I"#] {
            try await session.run("select absurd.create_queue($1, $2)", .text(name), .text(mode.rawValue))
            try await session.run("select absurd.spawn_task($1, 'a', '1')", .text(name))
            #expect(
                try await session.rows("select attempt from absurd.claim_task($1, 'w')", .text(name)) == [
                    "(1)"
                ])
            try await session.run("select absurd.drop_queue($1)", .text(name))
        }
        #expect(
            try await session.value(
                "select count(*) from pg_class where relnamespace = 'absurd'::regnamespace and relname ~ '^[trcewi]_'"
            ) == "0")
    }

    @Test(arguments: StorageMode.allCases)
    func `the tables are those of 0.5.1 and one column more`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let columns = [
            "t":
                "task_id task_name params headers retry_strategy max_attempts cancellation enqueue_at first_started_at state attempts last_attempt_run completed_payload cancelled_at idempotency_key",
            "r":
                "run_id task_id attempt state claimed_by claim_expires_at available_at wake_event event_payload started_at completed_at failed_at result failure_reason created_at cancel_at",
            "c": "task_id checkpoint_name state status owner_run_id updated_at",
            "e": "event_name payload emitted_at",
            "w": "task_id run_id step_name event_name timeout_at created_at",
            "i": mode == .partitioned ? "idempotency_key task_id" : nil,
        ]
        for (prefix, names) in columns {
            #expect(
                try await session.value(
                    """
                    select string_agg(attname, ' ' order by attnum) from pg_attribute
                     where attrelid = to_regclass('absurd.' || $1 || '_jobs') and attnum > 0
                    """, .text(prefix)) == names)
        }
    }

    @Test(arguments: StorageMode.allCases)
    func `pages and index pages leave room for the versions that claim and end make`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        // Partitions have the parameters, and their parents cannot.
        let parameters = try await session.value(
            """
            select string_agg(distinct left(c.relname, 2) || ' ' || c.relkind::text || ' ' || c.reloptions::text, ', ')
              from pg_class c
             where c.relnamespace = 'absurd'::regnamespace and c.relkind in ('r', 'i') and c.reloptions is not null
            """)
        #expect(
            parameters
                == "c_ r {fillfactor=70}, r_ i {fillfactor=50}, r_ r {fillfactor=70}, t_ r {fillfactor=45}")
    }

    @Test func `a task stays in its page when it is claimed`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.run(
            "select absurd.spawn_task('jobs', 'task', jsonb_build_object('n', n)) from generate_series(1, 300) n"
        )
        try await session.run(
            "create temp table places as select task_id, (ctid::text::point)[0] as page from absurd.t_jobs")
        try await session.run("select run_id from absurd.claim_task('jobs', 'w', 60, 300)")
        #expect(
            try await session.value(
                """
                select count(*)::text from absurd.t_jobs t join places p using (task_id)
                 where t.state = 'running' and (t.ctid::text::point)[0] = p.page
                """) == "300")
    }

    @Test func `creating a queue again repairs it`() async throws {
        let session = try await Session()
        try await session.run("select absurd.create_queue('jobs')")
        try await session.run("drop table absurd.w_jobs")
        try await session.run("drop index absurd.r_jobs_cei")
        try await session.run("select absurd.create_queue('jobs', ' UNPARTITIONED ')")
        #expect(try await session.value("select to_regclass('absurd.w_jobs_ti') is not null") == "true")
        #expect(try await session.value("select to_regclass('absurd.r_jobs_cei') is not null") == "true")
    }

    @Test func `a queue keeps its storage mode`() async throws {
        let session = try await Session(.partitioned)
        #expect(try await session.sqlState("select absurd.create_queue('jobs')") == "P0001")
        #expect(try await session.sqlState("select absurd.create_queue('other', 'sharded')") == "P0001")
        #expect(try await session.sqlState("select absurd.create_queue('other', null)") == "P0001")
        #expect(try await session.value("select storage_mode from absurd.queues") == "partitioned")
    }

    @Test func `queues are listed by name`() async throws {
        let session = try await Session()
        for name in ["b", "a", "c"] { try await session.run("select absurd.create_queue($1)", .text(name)) }
        #expect(try await session.rows("select * from absurd.list_queues()") == ["(a)", "(b)", "(c)"])
    }

    @Test func `dropping needs neither a valid name nor tables of any shape`() async throws {
        let session = try await Session()
        let name = String(repeating: "x", count: 58)
        try await session.run("insert into absurd.queues (queue_name) values ($1)", .text(name))
        try await session.run("create table absurd.t_\(name) (n integer)")
        try await session.run("select absurd.drop_queue($1)", .text(name))
        #expect(try await session.value("select to_regclass('absurd.t_\(name)') is null") == "true")
        #expect(try await session.count("queues") == "0")
        try await session.run("select absurd.drop_queue('unknown')")
    }

    @Test func `a wrong queue is an undefined table, no queue at all a NULL identifier`() async throws {
        let session = try await Session()
        #expect(try await session.sqlState("select absurd.spawn_task('nope', 'a', '1')") == "42P01")
        #expect(try await session.sqlState("select absurd.claim_task('nope', 'w')") == "42P01")
        #expect(try await session.sqlState("select absurd.emit_event(null, 'e')") == "22004")
    }

    @Test func `create, spawn and claim work in the transaction that is rolled back`() async throws {
        let session = try await Session()
        try await session.connection.execute(script: "begin")
        try await session.run("select absurd.create_queue('jobs', 'partitioned')")
        try await session.connection.execute(script: "savepoint s")
        #expect(try await session.sqlState("select absurd.claim_task('nope', 'w')") == "42P01")
        try await session.connection.execute(script: "rollback to s")
        try await session.spawn()
        #expect(try await session.claim().count == 1)
        try await session.connection.execute(script: "rollback")
        #expect(try await session.count("queues") == "0")
    }
}
