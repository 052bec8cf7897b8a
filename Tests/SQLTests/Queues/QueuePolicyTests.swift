import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct QueuePolicyTests {
    @Test(arguments: StorageMode.allCases)
    func `a queue starts with the default policy`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        #expect(
            try await session.rows("select * from absurd.get_queue_policy('jobs')")
                == [#"(jobs,\#(mode),enabled,"28 days","1 day","30 days",1000,none,"30 days")"#])
        #expect(try await session.rows("select * from absurd.get_queue_policy('nope')") == [])
    }

    @Test func `only the keys given change`() async throws {
        let session = try await Session(.partitioned)
        try await session.set(
            #"{"partition_lookahead":"2 weeks","partition_lookback":90,"cleanup_ttl":"1.5 days","cleanup_limit":"5"}"#
        )
        try await session.set(
            #"{"detach_mode":" EMPTY ","detach_min_age":"1 mon","default_partition":"Enabled"}"#)
        try await session.run("select absurd.set_queue_policy('jobs', null)")
        #expect(
            try await session.rows("select * from absurd.get_queue_policy('jobs')")
                == [#"(jobs,partitioned,enabled,"14 days",00:01:30,"1 day 12:00:00",5,empty,"1 mon")"#])
    }

    @Test(arguments: [
        ("null", "P0001"), ("[]", "P0001"), (#"{"x":1}"#, "P0001"), (#"{"cleanup_ttl":-1}"#, "P0001"),
        (#"{"cleanup_ttl":"-1 day"}"#, "P0001"), (#"{"cleanup_ttl":null}"#, "23502"),
        (#"{"cleanup_ttl":"zz"}"#, "22007"), (#"{"cleanup_limit":0}"#, "P0001"),
        (#"{"cleanup_limit":null}"#, "23502"), (#"{"cleanup_limit":2.5}"#, "22P02"),
        (#"{"cleanup_limit":99999999999}"#, "22003"), (#"{"detach_mode":"x"}"#, "P0001"),
        (#"{"detach_mode":null}"#, "P0001"), (#"{"default_partition":"enabled"}"#, "P0001"),
    ])
    func `a wrong policy is refused and nothing changes`(_ policy: String, _ state: String) async throws {
        let session = try await Session()
        try await session.run("select absurd.create_queue('jobs')")
        let before = try await session.rows("select * from absurd.queues")
        #expect(
            try await session.sqlState("select absurd.set_queue_policy('jobs', $1)", .text(policy)) == state)
        #expect(try await session.rows("select * from absurd.queues") == before)
    }

    @Test func `an unknown queue has no policy to set`() async throws {
        let session = try await Session()
        #expect(try await session.sqlState("select absurd.set_queue_policy('nope', '{}')") == "P0001")
        #expect(try await session.sqlState("select absurd.set_queue_policy('', '{}')") == "P0001")
    }

    @Test func `the default partition goes only when it is empty, and comes back`() async throws {
        let session = try await Session(.partitioned)
        try await session.setClock("2024-08-01 00:00:00+00")
        try await session.spawn()
        #expect(
            try await session.sqlState(
                #"select absurd.set_queue_policy('jobs', '{"default_partition":"disabled"}')"#) == "P0001")
        #expect(try await session.count("t_jobs_d") == "1")

        try await session.run("delete from absurd.t_jobs")
        try await session.run("delete from absurd.r_jobs")
        try await session.set(#"{"default_partition":"disabled"}"#)
        #expect(try await session.value("select to_regclass('absurd.t_jobs_d')") == nil)
        #expect(try await session.sqlState("select absurd.spawn_task('jobs', 'a', '1')") == "23514")

        try await session.set(#"{"default_partition":"enabled"}"#)
        try await session.setClock("2025-08-01 00:00:00+00")
        try await session.spawn()
        #expect(try await session.count("r_jobs_d") == "1")
    }

    @Test func `a longer lookahead makes partitions only when they are asked for`() async throws {
        let session = try await Session(.partitioned)
        try await session.set(#"{"partition_lookahead":"42 days"}"#)
        #expect(try await session.value("select to_regclass('absurd.t_jobs_420')") == nil)
        try await session.run("select absurd.ensure_partitions('jobs')")
        #expect(try await session.value("select to_regclass('absurd.t_jobs_420')") != nil)
    }
}

extension Session {
    fileprivate func set(_ policy: String) async throws {
        try await run("select absurd.set_queue_policy('jobs', $1)", .text(policy))
    }
}
