import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// Random text on everything that reads text: it may be refused, but nothing crashes, and what was written is read.
///
/// The seed of a failure is the argument of its test: `ABSURD_BAD_INPUT_SEED=42 swift test --filter DecoderTests`.
struct DecoderTests {
    private static let seed =
        ProcessInfo.processInfo.environment["ABSURD_BAD_INPUT_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 0 ... .max)

    private static let pieces = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "-", "0", "9",
        "1e400",
        "1.5", "99999999999999999999", "\"a\"", "\"a\":1", " ", "\n", "\u{0}", "é", "😀", "NaN", "infinity",
        "2026-",
        "-01-31", "T12:00:00", "Z", "+99:99", ".123456", "BC", "1h", "30s", "-5d", "name", "message",
        "$ClaimTimeout",
    ]

    private func text(_ random: inout SeededGenerator) -> String {
        let count = Int.random(in: 0..<12, using: &random)
        if Bool.random(using: &random) {
            return (0..<count).map { _ in Self.pieces.randomElement(using: &random) ?? "" }.joined()
        }
        let bytes = (0..<count * 3).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func value(_ random: inout SeededGenerator, depth: Int = 4) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: .null
        case 1: .bool(Bool.random(using: &random))
        case 2: .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: .double(Double(Int.random(in: -1_000_000...1_000_000, using: &random)) + 0.0625)
        case 4, 5: .string(text(&random))
        case 6: .array((0..<3).map { _ in value(&random, depth: depth - 1) })
        default:
            .object(Dictionary((0..<3).map { _ in (text(&random), value(&random, depth: depth - 1)) }) { $1 })
        }
    }

    @Test(arguments: [seed])
    func `text that is no document is refused, and never crashes a decoder`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let text = text(&random)
            let document = JSONText(text)
            // Whether they throw is up to the text.
            if let value = try? document.value() {
                _ = TaskFailure(reason: value).description
                _ = try? JSONText(encoding: value)
            }
            _ = try? document.decode(as: [String: Int].self)
            _ = try? document.decode(as: Date.self)
            _ = ISO8601.parse(text)
            _ = TaskID(text)
            do { try validateQueueName(text) } catch is AbsurdError {}
            do { try validateTaskName(text) } catch is AbsurdError {}
        }
    }

    @Test(arguments: [seed])
    func `documents and times that were written are read again`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3_000 {
            let value = value(&random)
            #expect(try JSONText(encoding: value).value() == value, "ABSURD_BAD_INPUT_SEED=\(seed)")
            let time = PostgresTimestamp(
                microseconds: Int64.random(
                    in: -63_000_000_000_000_000...250_000_000_000_000_000, using: &random))
            #expect(ISO8601.parse(ISO8601.format(time)) == time, "ABSURD_BAD_INPUT_SEED=\(seed)")
        }
    }

    @Test func `deep documents are refused by depth, not by the stack`() {
        for depth in [1_000, 100_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let text =
                    String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
                #expect(throws: (any Error).self) { try JSONText(text).value() }
            }
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300, -1e300, 1e18])
    func `a date that no column can hold is bounded, and is no JSON`(_ seconds: Double) {
        let date = Date(timeIntervalSince1970: seconds)
        let bound = Duration.longestStored.wholeMicroseconds
        #expect((-bound...bound).contains(PostgresTimestamp(date).microseconds))
        #expect(throws: EncodingError.self) { try JSONText(encoding: date) }
    }

    @Test
    func
        `of equal keys, which jsonb does not have, the first value is taken, and huge integers become doubles`()
        throws
    {
        #expect(try JSONText(#"{"a":1,"a":2}"#).value() == ["a": 1])
        #expect(
            try JSONText("123456789012345678901234567890").value() == .double(1.2345678901234568e29))
    }
}
