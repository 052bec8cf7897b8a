import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct CronTests {
    @Test func `without pg_cron nothing can be scheduled, and queues can be dropped`() async throws {
        let session = try await Session(.unpartitioned)
        #expect(try await session.sqlState("select absurd.enable_cron()") == "P0001")
        #expect(try await session.sqlState("select absurd.disable_cron()") == "P0001")
        #expect(try await session.sqlState("select absurd.schedule_detach_jobs()") == "P0001")
        try await session.run("select absurd.drop_queue('jobs')")
    }

    @Test func `maintenance is scheduled for a queue and for all, and replaced when asked for again`()
        async throws
    {
        let session = try await Session(.unpartitioned)
        try await session.installCronMock()
        let scope = try #require(try await session.value("select left(md5('jobs'), 12)"))
        #expect(
            try await session.rows("select job_name from absurd.enable_cron('jobs')")
                == [
                    "(absurd_partitions_\(scope))", "(absurd_cleanup_\(scope))",
                    "(absurd_detach_plan_\(scope))",
                ])
        try await session.run("select absurd.enable_cron('jobs', '1 * * * *', '2 * * * *', '3 * * * *')")
        try await session.run("select absurd.enable_cron()")
        #expect(
            try await session.rows("select jobname, schedule, command from cron.job order by jobid") == [
                #"(absurd_partitions_\#(scope),"1 * * * *","select absurd.ensure_partitions('jobs')")"#,
                #"(absurd_cleanup_\#(scope),"2 * * * *","select * from absurd.cleanup_all_queues('jobs')")"#,
                #"(absurd_detach_plan_\#(scope),"3 * * * *","select * from absurd.schedule_detach_jobs('jobs')")"#,
                #"(absurd_partitions_all,"5 * * * *","select absurd.ensure_partitions(null::text)")"#,
                #"(absurd_cleanup_all,"17 * * * *","select * from absurd.cleanup_all_queues(null::text)")"#,
                #"(absurd_detach_plan_all,"29 * * * *","select * from absurd.schedule_detach_jobs(null::text)")"#,
            ])
        #expect(try await session.value("select count(*) from absurd.disable_cron()") == "3")
        #expect(try await session.value("select count(*) from cron.job") == "3")
        try await session.run("select absurd.drop_queue('jobs')")
        #expect(try await session.value("select count(*) from cron.job") == "0")
        #expect(try await session.rows("select * from absurd.disable_cron('jobs')") == [])
    }

    @Test func `wrong arguments are refused`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.installCronMock()
        for arguments in [
            "'nope'", "''", "'jobs', ' '", "'jobs', '1 * * * *', null", "null, '1 * * * *', '', ''",
        ] {
            #expect(
                try await session.sqlState("select absurd.enable_cron(\(arguments))") == "P0001",
                "\(arguments)")
        }
        #expect(try await session.sqlState("select absurd.disable_cron('')") == "P0001")
        #expect(try await session.sqlState("select absurd.schedule_detach_jobs('nope')") == "P0001")
    }

    @Test func `an over-long legacy queue can be dropped with pg_cron there`() async throws {
        let session = try await Session()
        try await session.installCronMock()
        try await session.run("insert into absurd.queues (queue_name) values (repeat('x', 58))")
        try await session.run("select absurd.drop_queue(repeat('x', 58))")
        #expect(try await session.count("queues") == "0")
    }

    @Test(arguments: ["enabled", "disabled"])
    func `the oldest candidate of each table gets a job to detach it and one to drop it`(
        _ catchAll: String
    ) async throws {
        let session = try await Session(.partitioned)
        try await session.installCronMock()
        try await session.run(
            "select absurd.set_queue_policy('jobs', $1)",
            .text(#"{"detach_mode":"empty","default_partition":"\#(catchAll)"}"#))
        try await session.setClock("2024-06-15 00:00:00+00")
        let scheduled = "select partition_table, job_kind from absurd.schedule_detach_jobs('jobs')"
        #expect(
            try await session.rows(scheduled).sorted()
                == ["c", "r", "t", "w"].flatMap { ["(\($0)_jobs_413,detach)", "(\($0)_jobs_413,drop)"] })
        #expect(try await session.rows(scheduled) == [])

        let scope = try #require(try await session.value("select left(md5('jobs'), 12)"))
        let name =
            "run_\(scope)_"
            + (try #require(
                try await session.value(
                    "select left(md5('t_jobs'), 8) || '_' || left(md5('t_jobs:t_jobs_413'), 12)")))
        let detach = try #require(
            try await session.value(
                "select command from cron.job where jobname = $1", .text("absurd_detach_\(name)")))
        #expect(
            detach == "alter table absurd.t_jobs detach partition absurd.t_jobs_413"
                + (catchAll == "disabled" ? " concurrently" : ""))
        let drop = try #require(
            try await session.value(
                "select command from cron.job where jobname = $1", .text("absurd_drop_\(name)")))
        #expect(drop == "select absurd.drop_detached_partition('t_jobs_413', 'absurd_drop_\(name)')")

        try await session.run(drop)
        #expect(try await session.value("select count(*) from cron.job") == "8")
        try await session.connection.execute(script: detach)
        try await session.run(drop)
        #expect(try await session.value("select to_regclass('absurd.t_jobs_413')") == nil)
        #expect(try await session.value("select count(*) from cron.job") == "6")
        #expect(
            try await session.rows(scheduled).sorted() == ["(t_jobs_414,detach)", "(t_jobs_414,drop)"])
        #expect(try await session.value("select count(*) from absurd.disable_cron('jobs')") == "8")
    }

    @Test func `jobs of one scope keep another from doubling them`() async throws {
        let session = try await Session(.partitioned)
        try await session.installCronMock()
        try await session.run(#"select absurd.set_queue_policy('jobs', '{"detach_mode":"empty"}')"#)
        try await session.setClock("2024-06-15 00:00:00+00")
        #expect(try await session.value("select count(*) from absurd.schedule_detach_jobs()") == "8")
        #expect(try await session.value("select count(*) from absurd.schedule_detach_jobs('jobs')") == "0")
        #expect(
            try await session.value(
                "select count(*) from cron.job where jobname like 'absurd\\_%\\_run\\_all\\_%'") == "8")
        #expect(try await session.value("select count(*) from absurd.disable_cron('jobs')") == "0")
        #expect(try await session.value("select count(*) from absurd.disable_cron()") == "8")
    }

    @Test func `when the table is gone its jobs go`() async throws {
        let session = try await Session(.partitioned)
        try await session.installCronMock()
        for kind in ["detach", "drop"] {
            try await session.run(
                "select cron.schedule($1, '* * * * *', 'x')", .text("absurd_\(kind)_run_all_1_2"))
        }
        #expect(
            try await session.value(
                "select absurd.drop_detached_partition('t_jobs_001', 'absurd_drop_run_all_1_2')")
                == "false")
        #expect(try await session.value("select count(*) from cron.job") == "0")
    }
}
