import Absurd
import Foundation
import LibPQ
import Testing

struct ValueTests {
    @Test(arguments: [
        ("2026-01-31T10:20:30.123456+00:00", 1_769_854_830.123456),
        ("2026-01-31T10:20:30.123Z", 1_769_854_830.123),
        ("2026-01-31T10:20:30.123456789Z", 1_769_854_830.123456),
        ("2026-01-31T12:20:30+02:00", 1_769_854_830),
        ("2026-01-31 10:20:30Z", 1_769_854_830), ("1999-12-31T23:59:59Z", 946_684_799),
        ("2000-02-29T00:00:00Z", 951_782_400), ("0001-01-01T00:00:00Z", -62_135_596_800),
    ])
    func `instants written by every SDK are read`(text: String, unixSeconds: Double) throws {
        let instant = try #require(ISO8601.parse(text))
        #expect(abs(instant.date.timeIntervalSince1970 - unixSeconds) < 0.000_002)
        #expect(ISO8601.parse(ISO8601.format(instant)) == instant)
    }

    @Test(arguments: [
        "", "x", "2026-01-31", "2026-13-01T00:00:00Z", "2026-01-31T10:20:30", "2026-01-31T10:20:30.Z",
        "2026-01-31T24:20:30Z", "2026-01-31T10:20:30Zx",
    ])
    func `what is no instant is not read`(text: String) {
        #expect(ISO8601.parse(text) == nil)
    }

    @Test func `JSON values keep whole numbers exactly and tell null from nothing`() throws {
        let text = #"{"a":9007199254740993,"b":1.5,"c":[true,null,"x"],"d":null}"#
        let value = try JSONText(text).value()
        #expect(value["a"] == 9_007_199_254_740_993 && value["d"] == .null && value["e"] == nil)
        #expect(try JSONText(encoding: value).value() == value)
        #expect(throws: EncodingError.self) { try JSONText(encoding: JSONValue.double(.nan)) }
    }

    @Test(arguments: [
        JSONValue.null, true, false, 0, -1, .integer(.max), .integer(.min), 0.5, 1.0, -0.0, 1e-7, 1e300,
        .double(.leastNonzeroMagnitude),
        .double(.greatestFiniteMagnitude), .double(.pi), "", "plain", "ünïcode 🐟 \u{2028} \u{7f}",
        .string(String(String.UnicodeScalarView((1..<0x30).compactMap(Unicode.Scalar.init)))),
        "quotes \" and \\ and /", [], [:], [1, [2, [nil, "x"]], [:]], ["": ["a\n\"b": [1.5, "c"]]],
    ])
    func `a JSON value is written as Foundation writes it`(value: JSONValue) throws {
        struct Wrapped: Encodable {
            var value: JSONValue
            func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
        }
        #expect(try value.text() == JSONText(encoding: Wrapped(value: value)).text)
    }

    @Test func `identifiers are all different and of version 7`() {
        let maker = IdentifierMaker()
        let identifiers = (0..<10_000).map { _ in maker.next() }
        #expect(Set(identifiers).count == identifiers.count)
        #expect(identifiers.allSatisfy { $0.uuid.6 >> 4 == 7 && $0.uuid.8 >> 6 == 2 })
        // No random bit is stuck.
        let bits = identifiers.reduce((0, 255)) { ($0.0 | $1.uuid.15, $0.1 & $1.uuid.15) }
        #expect(bits == (255, 0))
    }

    @Test func `documents are nested up to 500 levels, in both directions`() throws {
        func nested(_ depth: Int) -> JSONValue {
            (0..<depth).reduce(JSONValue.null) { inner, level in level % 2 == 0 ? [inner] : ["k": inner] }
        }
        let deepest = nested(500)
        #expect(try JSONText(encoding: deepest).value() == deepest)
        struct Wrapped: Codable { var value: JSONValue }
        for depth in [500, 501, 20_000] {
            let error = #expect(throws: AbsurdError.self) {
                try depth == 500
                    ? JSONText(encoding: Wrapped(value: nested(depth))) : JSONText(encoding: nested(depth))
            }
            #expect(error?.code == .unencodable && error?.message.contains("500 levels") == true)
        }
        let text = String(repeating: "[", count: 501) + String(repeating: "]", count: 501)
        let error = #expect(throws: AbsurdError.self) { try JSONText(text).value() }
        #expect(error?.code == .undecodable && error?.message.contains("500 levels") == true)
    }

    @Test func `what cannot be read in a document is named by its place`() throws {
        let error = #expect(throws: DecodingError.self) { try JSONText(#"{"a":[1,1e999]}"#).value() }
        #expect(error.map(describe)?.contains("a") == true)
    }

    @Test func `durations round up to whole seconds and refuse what does not fit, by name`() throws {
        #expect(try Duration.milliseconds(1).wholeSeconds("x") == 1)
        #expect(try Duration.seconds(2).wholeSeconds("x") == 2)
        #expect(try Duration.zero.wholeSeconds("x") == 0)
        for duration in [Duration.seconds(-1), .days(100_000)] {
            let error = #expect(throws: AbsurdError.self) { try duration.wholeSeconds("the pause") }
            #expect(error?.message.hasPrefix("the pause must") == true)
        }
        #expect(Duration.days(1) == .seconds(86_400) && .hours(2) == .minutes(120))
    }

    @Test func `the environment names the database in the documented order`() {
        func string(_ variables: [String: String]) -> String {
            AbsurdConfiguration.environment(variables).connectionString
        }
        #expect(string([:]) == "postgresql://localhost/absurd")
        #expect(string(["ABSURD_DATABASE_URL": "postgres://a/b", "PGDATABASE": "c"]) == "postgres://a/b")
        #expect(string(["ABSURD_DATABASE_URL": "", "PGDATABASE": "c"]).isEmpty)
        #expect(string(["PGDATABASE": "postgres://a/b"]) == "postgres://a/b")
        #expect(string(["PGHOST": "db"]) == "dbname=absurd")
    }

    @Test func `restarts are counted per worker and limited within a window`() {
        var ledger = RestartLedger(limit: 2, window: .seconds(10))
        let start = ContinuousClock.now
        #expect(ledger.record(workerID: "a", error: "1", at: start) == 1)
        #expect(ledger.record(workerID: "a", error: "2", at: start + .seconds(9)) == 2)
        #expect(ledger.record(workerID: "b", error: "3", at: start + .seconds(11)) == 1)
        #expect(ledger.record(workerID: "a", error: "4", at: start + .seconds(12)) == nil)
        #expect(ledger.restarts(of: "a").count == 3 && ledger.restarts(of: "a").lastError == "4")
    }

    @Test func `failures keep what other SDKs wrote, and ours please all readers`() throws {
        let python = TaskFailure(reason: ["name": "ValueError", "message": "no", "traceback": "at line 1"])
        #expect(python.name == "ValueError" && python.message == "no" && python.stack == "at line 1")
        let lost = TaskFailure(reason: [
            "name": "$ClaimTimeout", "message": "m", "workerId": "w", "attempt": 2,
        ])
        #expect(lost.details == ["workerId": "w", "attempt": 2])
        #expect(TaskFailure(reason: "text").message == "text")
        let own = TaskFailure("m", name: "N", details: ["a": 1]).reason
        #expect(own == ["name": "N", "message": "m", "stack": "", "traceback": "", "a": 1])
    }

    @Test func `the compiler features that change behaviour are on`() {
        #if hasFeature(NonisolatedNonsendingByDefault)
        let isOn = true
        #else
        let isOn = false
        #endif
        #expect(isOn)
    }
}
