import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct UUIDTests {
    @Test func `a made id holds the schema's time to the millisecond`() async throws {
        let session = try await Session()
        try await session.setClock("2024-04-01 10:20:30.123789+00")
        #expect(
            try await session.rows(
                """
                select absurd.uuidv7_timestamp(id), substr(id::text, 15, 1), substr(id::text, 20, 1) in ('8','9','a','b'),
                       id >= absurd.uuidv7_floor(absurd.current_time()),
                       id < absurd.uuidv7_floor(absurd.current_time() + interval '1 ms')
                  from absurd.portable_uuidv7() as id
                """) == [#"("2024-04-01 10:20:30.123+00",7,t,t,t)"#])
    }

    @Test func `ids are ordered by the microsecond`() async throws {
        let session = try await Session()
        #expect(
            try await session.value(
                """
                select array_agg(id order by n) = array_agg(id order by id)
                  from (
                    select n, set_config('absurd.fake_now',
                                ('2024-04-01 10:00:00+00'::timestamptz + n * interval '1 microsecond')::text, false),
                           absurd.portable_uuidv7() as id
                      from generate_series(1, 3000) as n
                  ) as made
                """) == "true")
    }

    @Test func `the time of an id of another version is NULL`() async throws {
        let session = try await Session()
        #expect(try await session.value("select absurd.uuidv7_timestamp(gen_random_uuid())") == nil)
        #expect(try await session.value("select absurd.uuidv7_timestamp(null)") == nil)
    }

    @Test func `the floor is the smallest id of a millisecond`() async throws {
        let session = try await Session()
        #expect(
            try await session.value("select absurd.uuidv7_floor('2024-04-01 10:20:30.123789+00')")
                == "018e992c-be2b-7000-8000-000000000000")
        #expect(
            try await session.value("select absurd.uuidv7_floor('10889-08-02 05:31:50.655+00')")
                == "ffffffff-ffff-7000-8000-000000000000")
    }

    @Test(arguments: ["1969-12-31 23:59:59.999+00", "10889-08-02 05:31:50.656+00", "infinity", "-infinity"])
    func `a time beyond 48 bits has no floor`(_ time: String) async throws {
        let session = try await Session()
        #expect(try await session.sqlState("select absurd.uuidv7_floor($1)", .text(time)) == "P0001")
    }

    @Test(arguments: [
        ("2021-01-01 00:00+00", "053"), ("2024-12-31 00:00+00", "501"), ("2024-01-01 00:00+00", "401"),
        ("2023-12-31 23:59:59+00", "352"),
    ])
    func `weeks are those of ISO in UTC, wherever the connection is`(_ time: String, _ tag: String)
        async throws
    {
        let session = try await Session()
        for zone in ["UTC", "America/New_York", "Asia/Tokyo"] {
            try await session.run("select set_config('timezone', $1, false)", .text(zone))
            #expect(try await session.value("select absurd.partition_week_tag($1)", .text(time)) == tag)
            #expect(
                try await session.value(
                    "select to_char(absurd.week_bucket_utc($1) at time zone 'UTC', 'ID HH24:MI:SS')",
                    .text(time))
                    == "1 00:00:00")
        }
    }
}
