import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct PartitionTests {
    @Test func `a queue starts with its window of weeks and a catch-all for each table`() async throws {
        let session = try await Session()
        try await session.setClock("2024-04-01 00:30:00+00")
        try await session.run("select absurd.create_queue('jobs', 'partitioned')")
        for prefix in ["t", "r", "c", "w"] {
            #expect(
                try await session.partitions(of: "\(prefix)_jobs")
                    == ["413", "414", "415", "416", "417", "418", "d"].map { "(\(prefix)_jobs_\($0))" })
        }
        #expect(
            try await session.value(
                "select pg_get_expr(relpartbound, oid) from pg_class where relname = 't_jobs_d'")
                == "DEFAULT")
        #expect(
            try await session.value(
                """
                select strpos(b, absurd.uuidv7_floor('2024-04-01 00:00+00')::text) > 0
                   and strpos(b, absurd.uuidv7_floor('2024-04-08 00:00+00')::text) > 0
                  from (select pg_get_expr(relpartbound, oid) from pg_class where relname = 'r_jobs_414') as x (b)
                """) == "true")
    }

    @Test func `an unpartitioned queue needs no partitions, an unknown one is refused`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.run("select absurd.ensure_partitions('jobs')")
        try await session.run("select absurd.ensure_partitions()")
        #expect(try await session.sqlState("select absurd.ensure_partitions('nope')") == "P0001")
        #expect(try await session.sqlState("select absurd.ensure_partitions('')") == "P0001")
    }

    // Across both changes of daylight saving time, which made a week vanish or begin an hour late.
    @Test(arguments: ["2026-03-02 12:00:00+00", "2026-10-26 12:00:00+00"], ["America/New_York", "UTC"])
    func `weeks are whole and without gaps in every time zone`(_ time: String, _ zone: String) async throws {
        let session = try await Session()
        try await session.setClock(time)
        try await session.run("select set_config('timezone', $1, false)", .text(zone))
        try await session.run("select absurd.create_queue('jobs', 'partitioned')")
        #expect(
            try await session.rows(
                """
                select count(*), bool_and(lower_bound = previous or previous is null),
                       bool_and(absurd.uuidv7_timestamp(upper_bound) - absurd.uuidv7_timestamp(lower_bound) = interval '168 hours')
                  from (
                    select lower_bound, upper_bound, lag(upper_bound) over (order by lower_bound) as previous
                      from (
                        select (regexp_match(b, 'FROM \\(''(.{36})'))[1]::uuid as lower_bound,
                               (regexp_match(b, 'TO \\(''(.{36})'))[1]::uuid as upper_bound
                          from (
                            select pg_get_expr(relpartbound, oid) as b from pg_class
                             where relname ~ '^t_jobs_[0-9]{3}$'
                          ) as bounds
                      ) as weeks
                  ) as neighbours
                """) == ["(6,t,t)"])
        try await session.run("set timezone = 'Asia/Tokyo'")
        try await session.run("select absurd.ensure_partitions('jobs')")
    }

    @Test func `rows of a week that went to the catch-all move to the week's partition`() async throws {
        let session = try await Session(.partitioned)
        try await session.setClock("2024-06-12 00:00:00+00")
        let spawned = try await session.spawn()
        #expect(try await session.count("t_jobs_d") == "1")
        try await session.run("select absurd.ensure_partitions()")
        #expect(try await session.count("t_jobs_d") == "0")
        #expect(try await session.value("select task_id from absurd.t_jobs_424") == spawned.task)
        #expect(try await session.claim() == [spawned.run])
    }

    @Test func `one queue that fails does not keep the others from their partitions`() async throws {
        let session = try await Session(.partitioned)
        try await session.run("select absurd.create_queue('another', 'partitioned')")
        try await session.setClock("2024-06-12 00:00:00+00")
        try await session.run("create view absurd.r_another_424 as select 1 as one")
        try await session.run("select absurd.ensure_partitions()")
        #expect(try await session.partitions(of: "t_jobs").contains("(t_jobs_424)"))
        #expect(try await !session.partitions(of: "t_another").contains("(t_another_424)"))
        #expect(try await session.sqlState("select absurd.ensure_partitions('another')") != nil)
    }

    @Test func `the partition of the same week ten years ago is not taken for this one`() async throws {
        let session = try await Session(.partitioned)
        try await session.setClock("2034-04-05 00:00:00+00")
        let refusal = try await session.refusal("select absurd.ensure_partitions('jobs')")
        #expect(refusal?.sqlState == "P0001")
        #expect(refusal?.message.contains("_jobs_414") == true)
        for prefix in ["t", "r", "c", "w"] {
            for week in 413...418 {
                try await session.run(
                    "alter table absurd.\(prefix)_jobs detach partition absurd.\(prefix)_jobs_\(week)")
            }
        }
        // An empty table of that name may serve again.
        try await session.run("select absurd.ensure_partitions('jobs')")
        #expect(try await session.partitions(of: "t_jobs").contains("(t_jobs_414)"))
    }

    @Test func `a detached table with rows of another week is refused`() async throws {
        let session = try await Session(.partitioned)
        try await session.spawn()
        try await session.run("alter table absurd.t_jobs detach partition absurd.t_jobs_414")
        try await session.run("alter table absurd.r_jobs detach partition absurd.r_jobs_414")
        try await session.setClock("2034-04-05 00:00:00+00")
        #expect(
            try await session.sqlState(
                "select absurd.ensure_week('r_jobs', absurd.week_bucket_utc(absurd.current_time()))")
                == "23514")
    }
}

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct DetachTests {
    @Test func `empty weeks of sufficient age are candidates when the policy says so`() async throws {
        let session = try await Session(.partitioned)
        try await session.setClock("2024-06-15 00:00:00+00")
        #expect(try await session.candidates() == [])
        try await session.detachEmpty()
        let all = (413...418).flatMap { week in ["c", "r", "t", "w"].map { "\($0)_jobs_\(week)" } }
        #expect(try await session.candidates() == all.sorted())
        // The week of tag 414 ended on 8 April, the one before a week earlier.
        try await session.setClock("2024-05-08 00:00:01+00")
        #expect(try await session.candidates().count == 8)
        try await session.setClock("2024-05-08 00:00:00+00")
        #expect(
            try await session.candidates() == ["c_jobs_413", "r_jobs_413", "t_jobs_413", "w_jobs_413"])
        #expect(try await session.sqlState("select absurd.list_detach_candidates('nope')") == "P0001")
    }

    @Test func `checkpoints and waits stay while the week has the tasks and runs that write them`()
        async throws
    {
        let session = try await Session(.partitioned)
        try await session.spawn()
        try await session.detachEmpty()
        try await session.setClock("2024-06-15 00:00:00+00")
        #expect(try await session.candidates().filter { $0.hasSuffix("414") } == [])
        try await session.run("delete from absurd.r_jobs")
        #expect(
            try await session.candidates().filter { $0.hasSuffix("414") } == ["r_jobs_414", "w_jobs_414"])
    }

    @Test func `a detached partition is dropped, an attached or missing one is not`() async throws {
        let session = try await Session(.partitioned)
        let drop = "select absurd.drop_detached_partition($1)"
        #expect(try await session.value(drop, "t_jobs_415") == "false")
        try await session.run("alter table absurd.t_jobs detach partition absurd.t_jobs_415")
        #expect(try await session.value(drop, " t_jobs_415 ") == "true")
        #expect(try await session.value(drop, "t_jobs_415") == "false")
        #expect(try await session.sqlState(drop, " ") == "P0001")
        #expect(try await session.sqlState(drop, nil) == "P0001")
    }

    @Test func `nothing but an empty former partition can be dropped`() async throws {
        let session = try await Session(.partitioned)
        let drop = "select absurd.drop_detached_partition($1)"
        try await session.run("select absurd.create_queue('plain_123')")
        try await session.run("create table absurd.t_other_123 (n integer)")
        for table in ["t_jobs", "t_plain_123", "e_jobs", "queues", "t_other_123", "r_jobs_ti"] {
            #expect(try await session.sqlState(drop, .text(table)) == "P0001", "\(table)")
        }
    }

    @Test(arguments: ["enabled", "disabled"])
    func `a week that got rows before it was detached is attached again, and its jobs go`(
        _ catchAll: String
    ) async throws {
        let session = try await Session(.partitioned)
        try await session.installCronMock()
        try await session.run(
            "select absurd.set_queue_policy('jobs', $1)", .text(#"{"default_partition":"\#(catchAll)"}"#))
        for kind in ["detach", "drop"] {
            try await session.run(
                "select cron.schedule($1, '* * * * *', 'x')", .text("absurd_\(kind)_run_all_1_2"))
        }
        let spawned = try await session.spawn()
        try await session.run("alter table absurd.t_jobs detach partition absurd.t_jobs_414")
        // Where there is a catch-all, a further task of that week has gone there.
        if catchAll == "enabled" { try await session.spawn() }
        let drop = "select absurd.drop_detached_partition('t_jobs_414', 'absurd_drop_run_all_1_2')"
        // Both jobs run at the same time: attached now, it could be detached again by the other.
        #expect(try await session.value(drop) == "false")
        #expect(try await session.rows("select jobname from cron.job") == ["(absurd_drop_run_all_1_2)"])
        #expect(try await !session.partitions(of: "t_jobs").contains("(t_jobs_414)"))
        #expect(try await session.value(drop) == "false")
        #expect(try await session.count("t_jobs_414") == (catchAll == "enabled" ? "2" : "1"))
        #expect(try await session.partitions(of: "t_jobs").contains("(t_jobs_414)"))
        #expect(try await session.value("select count(*) from cron.job") == "0")
        #expect(try await session.claim(2).contains(spawned.run))
    }

    @Test
    func `without a job a detached week with rows is attached at once, one with rows of another week never`()
        async throws
    {
        let session = try await Session(.partitioned)
        try await session.spawn()
        for prefix in ["t", "r"] {
            try await session.run(
                "alter table absurd.\(prefix)_jobs detach partition absurd.\(prefix)_jobs_414")
        }
        #expect(try await session.value("select absurd.drop_detached_partition('t_jobs_414')") == "false")
        #expect(try await session.count("t_jobs") == "1")
        try await session.run("alter table absurd.r_jobs_414 rename to r_jobs_419")
        #expect(try await session.sqlState("select absurd.drop_detached_partition('r_jobs_419')") == "P0001")
        #expect(try await session.count("r_jobs_419") == "1")
    }

    @Test func `a detached week with rows outlives its queue, its jobs do not`() async throws {
        let session = try await Session(.partitioned)
        try await session.installCronMock()
        try await session.run("select cron.schedule('absurd_drop_run_all_1_2', '* * * * *', 'x')")
        try await session.spawn()
        try await session.run("alter table absurd.t_jobs detach partition absurd.t_jobs_414")
        try await session.run("select absurd.drop_queue('jobs')")
        #expect(
            try await session.value(
                "select absurd.drop_detached_partition('t_jobs_414', 'absurd_drop_run_all_1_2')") == "false")
        #expect(try await session.count("t_jobs_414") == "1")
        #expect(try await session.value("select count(*) from cron.job") == "0")
    }
}

extension Session {
    fileprivate func partitions(of table: String) async throws -> [String] {
        try await rows(
            """
            select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = ('absurd.' || $1)::regclass order by 1
            """, .text(table))
    }

    fileprivate func candidates() async throws -> [String] {
        try await connection.query("select partition_table from absurd.list_detach_candidates()")
            .map { try $0.decode(0, as: String.self) }.sorted()
    }

    fileprivate func detachEmpty() async throws {
        try await run(#"select absurd.set_queue_policy('jobs', '{"detach_mode":"empty"}')"#)
    }
}
