import Testing

@testable import LibPQ

struct PostgresTimestampTests {
    @Test(arguments: [
        (0, "2000-01-01 00:00:00+00"),
        (1, "2000-01-01 00:00:00.000001+00"),
        (-1, "1999-12-31 23:59:59.999999+00"),
        (762_523_200_000_000, "2024-02-29 12:00:00+00"),
        (9_223_371_331_199_999_999, "294276-12-31 23:59:59.999999+00"),
        (-211_813_488_000_000_000, "4714-11-24 00:00:00+00 BC"),
        (-63_082_281_600_000_001, "0001-12-31 23:59:59.999999+00 BC"),
        (Int64.max, "infinity"),
        (Int64.min, "-infinity"),
    ])
    func `the text form is that of the server, in both directions`(_ microseconds: Int64, _ text: String) {
        #expect(PostgresTimestamp(microseconds: microseconds).description == text)
        #expect(PostgresTimestamp(postgresText: text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        ("2000-01-01 00:00:00", 0), ("2000-01-01 02:00:00.5+02", 500_000), ("1999-12-31 21:30:00-02:30", 0),
        ("2000-01-01 00:19:32+00:19:32", 0),
    ])
    func `zones and short fractions are read`(_ text: String, _ microseconds: Int64) {
        #expect(PostgresTimestamp(postgresText: text)?.microseconds == microseconds)
    }

    @Test(arguments: ["", "yesterday", "2000-01-01 00:00:00 CET", "2000-13-01 00:00:00", "2000-01-01 0x"])
    func `other texts are refused`(_ text: String) {
        #expect(PostgresTimestamp(postgresText: text) == nil)
    }
}

struct BoundParametersTests {
    @Test func `text with a NUL is refused and the position named`() {
        let error = #expect(throws: PostgresError.self) { try BoundParameters([.int(1), .text("a\0b")]) }
        #expect(error?.code == .invalidParameter)
        #expect(error?.description.contains("$2") == true)
        #expect(throws: PostgresError.self) { try BoundParameters([.textArray(["a", nil, "\0"])]) }
    }

    @Test func `an array element that does not fit is refused`() {
        let error = #expect(throws: PostgresError.self) { try BoundParameters([.intArray([1, 1 << 40])]) }
        #expect(error?.code == .invalidParameter)
    }

    @Test func `single values have no type, arrays and bytes have one`() throws {
        let bound = try BoundParameters([
            "a", 1, true, 1.5, nil, .bytes([]), .textArray([]), .intArray([1, nil]),
        ])
        #expect(bound.types == [0, 0, 0, 0, 0, 17, 1009, 1007])
        #expect(bound.formats == [0, 0, 0, 0, 0, 1, 1, 1])
        #expect(bound.lengths.last == 32)
    }
}

struct StatementCacheTests {
    private let columns = SQLColumns(names: [], types: [], isBinary: true)

    @Test func `the statement that was not used for longest makes room`() throws {
        var cache = StatementCache(limit: 2)
        let keys = ["a", "b", "c"].map { StatementCache.Key(sql: $0, types: []) }
        cache.makeRoom()
        _ = cache.insert(keys[0], name: cache.makeName(), columns: columns)
        _ = cache.insert(keys[1], name: cache.makeName(), columns: columns)
        #expect(cache.find(keys[0])?.name == "s1")
        cache.makeRoom()
        cache.makeRoom()
        #expect(cache.leftOvers == ["s2"])
        #expect(cache.find(keys[1]) == nil)
        #expect(cache.count == 1)
        cache.deallocated("s2")
        #expect(cache.leftOvers.isEmpty)
        #expect(cache.makeName() == "s3")
    }

    @Test func `the same text with other parameter types is another statement`() throws {
        var cache = StatementCache(limit: 2)
        _ = cache.insert(.init(sql: "a", types: [0]), name: "s1", columns: columns)
        #expect(cache.find(.init(sql: "a", types: [1009])) == nil)
    }
}

struct NotificationMailboxTests {
    private func notification(_ number: Int) -> PostgresNotification {
        PostgresNotification(channel: "c", payload: String(number), backendPID: 1)
    }

    @Test func `notifications come out in their order, the newest are kept`() {
        var mailbox = NotificationMailbox()
        for number in 0..<10_000 { mailbox.put(notification(number)) }
        var taken: [String] = []
        while let next = mailbox.take() { taken.append(next.payload) }
        #expect(taken == (10_000 - 4096..<10_000).map(String.init))
        #expect(mailbox.isEmpty)
    }
}

struct PostgresErrorTests {
    @Test(arguments: [
        ("23505", "_bt_check_unique", true), ("42P01", "parserOpenTable", true),
        ("22P02", "pg_strtoint32", false), ("P0001", "exec_stmt_raise", false),
        ("42501", "exec_stmt_raise", false), ("XX000", "elog", false), (nil, nil, false),
    ])
    func `only messages of the server itself about conditions without values are shown`(
        _ sqlState: String?, _ function: String?, _ isSafe: Bool
    ) {
        #expect(PostgresError.isSafe(sqlState: sqlState, sourceFunction: function) == isSafe)
    }
}
