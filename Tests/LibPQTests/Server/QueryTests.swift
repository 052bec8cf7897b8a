import FoundationEssentials
import TestSupport
import Testing

@testable import LibPQ

@Suite(.database(.empty), .timeLimit(.minutes(1)))
struct QueryTests {
    /// Values come in binary form from prepared statements and as text otherwise.
    @Test(arguments: [true, false])
    func `values of all types come back as they were sent`(_ prepares: Bool) async throws {
        let connection = try await TestDatabase.current.connect { $0.preparesStatements = prepares }
        let id = UUID()
        let instant = PostgresTimestamp(microseconds: 762_523_200_123_457)
        let rows = try await connection.query(
            """
            select $1::text as t, $2::bigint as i8, $3::int as i4, $4::float8 as f, $5::bool as b, $6::uuid as u,
                   $7::timestamptz as ts, $8::bytea as by, $9::jsonb as jb, $10::json as j, null::text as n,
                   $3::int2 as i2, 1.5::float4 as f4, $7::timestamptz::timestamp as plain, 'name'::name as nm
            """,
            [
                "häß 🐘", .int(.max), .int(-7), .double(0.1 + 0.2), false, .uuid(id), .timestamp(instant),
                .bytes([0, 1, 255]), "{\"a\": 1}", "{\"a\":1}",
            ])
        let row = try #require(rows.first)
        #expect(rows.result.columns.isBinary == prepares)
        #expect(try row.decode("t") == "häß 🐘")
        #expect(try row.decode("i8") == Int64.max)
        #expect(try row.decode("i8") == Int.max)
        #expect(try row.decode("i4") == Int32(-7))
        #expect(try row.decode("i2") == -7)
        #expect(try row.decode("f") == 0.1 + 0.2)
        #expect(try row.decode("f4") == 1.5)
        #expect(try row.decode("b") == false)
        #expect(try row.decode("u") == id)
        #expect(try row.decode("ts") == instant)
        #expect(try row.decode("plain", as: PostgresTimestamp.self) != .infinity)
        #expect(try row.decode("by") == [0, 1, 255] as [UInt8])
        #expect(try row.decode("t") == [UInt8]("häß 🐘".utf8))
        #expect(try row.decode("jb") == "{\"a\": 1}")
        #expect(try row.decode("j") == "{\"a\":1}")
        #expect(try row.decode("n") == String?.none)
        #expect(try row.decode("nm") == "name")
        #expect(try row.decode(0) == "häß 🐘")
        #expect(rows.columnNames.first == "t")
    }

    @Test(arguments: [true, false])
    func `infinite times and numbers come back as they were sent`(_ prepares: Bool) async throws {
        let connection = try await TestDatabase.current.connect { $0.preparesStatements = prepares }
        let row = try #require(
            try await connection.query(
                "select $1::timestamptz, $2::timestamptz, $3::float8, $4::float8, $5::float8, $6::timestamptz",
                [
                    .timestamp(.infinity), .timestamp(.negativeInfinity), .double(.infinity),
                    .double(-.infinity),
                    .double(.nan), .timestamp(PostgresTimestamp(microseconds: -211_813_488_000_000_000)),
                ]
            ).first)
        #expect(try row.decode(0) == PostgresTimestamp.infinity)
        #expect(try row.decode(1) == PostgresTimestamp.negativeInfinity)
        #expect(try row.decode(2) == Double.infinity)
        #expect(try row.decode(3) == -Double.infinity)
        #expect(try row.decode(4, as: Double.self).isNaN)
        #expect(try row.decode(5) == PostgresTimestamp(microseconds: -211_813_488_000_000_000))
    }

    @Test func `arrays are sent with their types, NULLs and exact values`() async throws {
        let connection = try await TestDatabase.current.connect()
        let id = UUID()
        let row = try #require(
            try await connection.query(
                "select $1::text, $2::text, $3::text, $4::text, $5::text, ($6::timestamptz[])[1], $7::text, pg_typeof($6)::text",
                [
                    .textArray(["a,b", nil, ""]), .uuidArray([id]), .intArray([1, nil, -3]),
                    .doubleArray([0.5, nil]),
                    .boolArray([true, false]), .timestampArray([PostgresTimestamp(microseconds: 1), nil]),
                    .textArray([]),
                ]
            ).first)
        #expect(try row.decode(0) == "{\"a,b\",NULL,\"\"}")
        #expect(try row.decode(1) == "{\(id.uuidString.lowercased())}")
        #expect(try row.decode(2) == "{1,NULL,-3}")
        #expect(try row.decode(3) == "{0.5,NULL}")
        #expect(try row.decode(4) == "{t,f}")
        #expect(try row.decode(5) == PostgresTimestamp(microseconds: 1))
        #expect(try row.decode(6) == "{}")
        #expect(try row.decode(7) == "timestamp with time zone[]")
    }

    @Test func `types this client does not know come as text, and do not spoil their neighbours`()
        async throws
    {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: "create type mood as enum ('fine')")
        let row = try #require(
            try await connection.query(
                """
                select 1.50::numeric as n, 'fine'::mood as m, interval '1 day' as d, array[1, 2] as a, 7 as i,
                       '2000-01-01 00:00:00.5+00'::timestamptz as t, 'x'::bytea as b
                """
            ).first)
        #expect(try row.decode("n") == "1.50")
        #expect(try row.decode("n") == 1.5)
        #expect(try row.decode("m") == "fine")
        #expect(try row.decode("d") == "1 day")
        #expect(try row.decode("a") == "{1,2}")
        #expect(try row.decode("i") == 7)
        #expect(try row.decode("t") == PostgresTimestamp(microseconds: 500_000))
        #expect(try row.decode("b") == Array("x".utf8))
    }

    @Test func `one integer parameter fits integer and bigint arguments`() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(
            script: """
                create function narrow(a integer) returns text language sql as $$ select 'narrow' $$;
                create function wide(a bigint) returns text language sql as $$ select 'wide' $$;
                """)
        #expect(try await connection.query("select narrow($1)", [1]).first?.decode(0) == "narrow")
        #expect(try await connection.query("select wide($1)", [1]).first?.decode(0) == "wide")
    }

    @Test(arguments: [true, false])
    func `a value of 50 MB goes both ways`(_ prepares: Bool) async throws {
        let connection = try await TestDatabase.current.connect { $0.preparesStatements = prepares }
        let text = String(repeating: "0123456789", count: 5_000_000)
        let row = try #require(try await connection.query("select $1::text as t", [.text(text)]).first)
        #expect(try row.decode("t") == text)
    }

    @Test func `rows are a collection, and a statement counts what it touched`() async throws {
        let connection = try await TestDatabase.current.connect()
        let rows = try await connection.query("select n::int as n from generate_series(1, 1000) n")
        #expect(rows.count == 1000)
        #expect(try rows.map { try $0.decode("n", as: Int.self) }.reduce(0, +) == 500_500)
        #expect(try rows.last?.decode("n") == 1000)
        try await connection.execute(script: "create table t as select generate_series(1, 7) as a")
        #expect(try await connection.query("update t set a = a + 1 where a > 3").affectedRows == 4)
        #expect(try await connection.query("delete from t").isEmpty)
    }

    @Test func `text with a NUL is refused before anything is sent`() async throws {
        let connection = try await TestDatabase.current.connect()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.query("select $1::int, $2::text", [1, "a\0b"])
        }
        #expect(error?.code == .invalidParameter)
        #expect(error?.message.contains("$2") == true)
        await #expect(throws: PostgresError.self) { try await connection.query("select 1 -- \0") }
        await #expect(throws: PostgresError.self) { try await connection.execute(script: "select 1; \0") }
        #expect(connection.isUsable)
    }

    @Test func `a value that is not what was asked for is a decoding error that does not show it`()
        async throws
    {
        let connection = try await TestDatabase.current.connect()
        let row = try #require(
            try await connection.query("select 'secret' as t, null::int as n, 1::int8 << 40 as big").first)
        for attempt: () throws -> Any in [
            { try row.decode("t", as: Int.self) }, { try row.decode("n", as: Int.self) },
            { try row.decode("big", as: Int32.self) }, { try row.decode("missing", as: Int.self) },
            { try row.decode(3, as: Int.self) }, { try row.decode("t", as: UUID.self) },
        ] {
            let error = #expect(throws: PostgresError.self) { _ = try attempt() }
            #expect(error?.code == .decoding)
            #expect(!String(reflecting: error).contains("secret"))
        }
    }

    @Test func `the date style of the database does not matter`() async throws {
        let database = TestDatabase.current
        let admin = try await database.connect()
        try await admin.execute(script: "alter database \(database.name) set datestyle to 'SQL, DMY'")
        let connection = try await database.connect { $0.preparesStatements = false }
        let row = try #require(
            try await connection.query("select timestamptz '2000-01-01 00:00:01+00'").first)
        #expect(try row.decode(0) == PostgresTimestamp(microseconds: 1_000_000))
    }
}
