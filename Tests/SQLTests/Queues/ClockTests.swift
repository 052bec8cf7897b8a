import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct ClockTests {
    @Test func `the clock follows the setting and reads it in the connection's time zone`() async throws {
        let session = try await Session()
        #expect(try await session.value("select absurd.current_time()") == "2024-04-01 10:00:00+00")
        try await session.run("set timezone = 'America/New_York'")
        try await session.setClock("2024-01-01 00:00:00")
        #expect(try await session.value("select absurd.current_time()") == "2024-01-01 00:00:00-05")
    }

    @Test(arguments: ["", "   "])
    func `a blank setting means the wall clock, which goes on within a transaction`(_ blank: String)
        async throws
    {
        let session = try await Session()
        try await session.setClock(blank)
        try await session.connection.execute(script: "begin")
        #expect(
            try await session.value(
                "select absurd.current_time() > transaction_timestamp() and absurd.current_time() <= clock_timestamp()"
            )
                == "true")
    }

    @Test func `a setting that is no time is refused`() async throws {
        let session = try await Session()
        try await session.setClock("noon")
        #expect(try await session.sqlState("select absurd.current_time()") == "22007")
    }

    @Test func `the clock is a column default`() async throws {
        let session = try await Session()
        #expect(
            try await session.rows(
                "select * from absurd.queues"
            ).isEmpty)
        try await session.run("insert into absurd.queues (queue_name) values ('bare')")
        #expect(
            try await session.value("select created_at from absurd.queues") == "2024-04-01 10:00:00+00")
    }

    @Test func `absurdctl does not take this schema for the official one`() async throws {
        let session = try await Session()
        #expect(try await session.value("select absurd.get_schema_version()") == "swift-0.5.1")
    }

    @Test func `installing again changes nothing and breaks nothing`() async throws {
        let session = try await Session()
        #expect(try await session.spawnInNewQueue() == 1)
        for file in try SQLFiles.all(in: "absurd") {
            try await session.connection.execute(script: file)
        }
        #expect(try await session.value("select count(*) from absurd.t_jobs") == "1")
        #expect(try await session.claim().count == 1)
    }
}

extension Session {
    fileprivate func spawnInNewQueue() async throws -> Int {
        try await run("select absurd.create_queue('jobs')")
        return try await spawn().isNew ? 1 : 0
    }
}
