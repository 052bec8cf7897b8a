import CLibPQ
import Foundation
import TestSupport
import Testing

@testable import LibPQ

/// Random bytes under every type, in both formats: a value may be refused, but no decoder crashes or says anything else.
///
/// The seed of a failure is the argument of its test: `ABSURD_BAD_INPUT_SEED=42 swift test --filter DecodingAttackTests`.
struct DecodingAttackTests {
    private static let seed =
        ProcessInfo.processInfo.environment["ABSURD_BAD_INPUT_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 0 ... .max)

    private static let types =
        SQLType.binaryReadable.sorted() + [SQLType.textArray, SQLType.int4Array, 1700, 0, .max]

    private static let pieces = [
        "t", "f", "-", "+", "0", "9", "1.5", "e400", "NaN", "Infinity", "\\x", "a0", "zz",
        "99999999999999999999",
        "2026-01-31", "2026-02-30", " 12:00:00", "+99:99", "-15:59:59", ".123456", " BC", "infinity",
        "294277-01-01",
        "00000000-0000-0000-0000-000000000000", "{", "}", ",", "\u{1}", "é",
    ]

    private static let decoders: [@Sendable (SQLRow) throws -> Void] = [
        { _ = try $0.decode(0, as: String.self) }, { _ = try $0.decode(0, as: Bool.self) },
        { _ = try $0.decode(0, as: [UInt8].self) }, { _ = try $0.decode(0, as: UUID.self) },
        { _ = try $0.decode(0, as: Int.self) }, { _ = try $0.decode(0, as: Int64.self) },
        { _ = try $0.decode(0, as: Int32.self) }, { _ = try $0.decode(0, as: Double.self) },
        { _ = try $0.decode(0, as: PostgresTimestamp.self).description },
        { _ = try $0.decode(0, as: String?.self) }, { _ = try $0.decode(0, as: PostgresTimestamp?.self) },
    ]

    @Test(arguments: [seed], [true, false])
    func `whatever bytes a value has, decoding reads them or says that it cannot`(
        _ seed: UInt64, isBinary: Bool
    ) throws {
        var random = SeededGenerator(seed: seed)
        var read = 0
        for _ in 0..<10_000 {
            let type = try #require(Self.types.randomElement(using: &random))
            let rows = try oneValue(bytes(&random), type: type, isBinary: isBinary)
            for decode in Self.decoders {
                do {
                    try decode(rows[0])
                    read += 1
                } catch let error as PostgresError {
                    #expect(error.code == .decoding)
                }
            }
        }
        // Neither all nor nothing, or it has not tried the decoders.
        #expect(read > 1_000 && read < 10_000 * Self.decoders.count / 2)
    }

    private func bytes(_ random: inout SeededGenerator) -> [UInt8]? {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: nil
        // The lengths of binary values among them.
        case 1...4:
            (0..<([1, 2, 4, 8, 16].randomElement(using: &random) ?? 0)).map { _ in
                [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: .min ... .max, using: &random)]
                    .randomElement(using: &random) ?? 0
            }
        case 5:
            (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: .min ... .max, using: &random)
            }
        default:
            Array(
                (0..<Int.random(in: 0..<5, using: &random))
                    .map { _ in Self.pieces.randomElement(using: &random) ?? "" }.joined().utf8)
        }
    }

    /// A result of one row and one column, as libpq makes it of a server's answer.
    private func oneValue(_ bytes: [UInt8]?, type: UInt32, isBinary: Bool) throws -> SQLRows {
        let pointer = try #require(PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK))
        let name = strdup("value")
        defer { free(name) }
        var column = PGresAttDesc(
            name: name, tableid: 0, columnid: 0, format: isBinary ? 1 : 0, typid: type, typlen: -1,
            atttypmod: -1)
        try #require(PQsetResultAttrs(pointer, 1, &column) == 1)
        var value = (bytes ?? []).map { CChar(bitPattern: $0) } + [0]
        try #require(PQsetvalue(pointer, 0, 0, &value, bytes.map { Int32($0.count) } ?? -1) == 1)
        return SQLRows(result: SQLResult(adopting: pointer))
    }
}
