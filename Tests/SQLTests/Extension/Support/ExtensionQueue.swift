import Foundation
import LibPQ
import TestSupport

/// A queue as tests of `absurd_swift` see it: each call of the schema, with typed rows.
struct ExtensionQueue: Sendable {
    var connection: PostgresConnection
    var name: String

    struct Claim: Sendable {
        var run: UUID
        var task: UUID
        var taskName: String
        var attempt: Int
        var token: PostgresTimestamp
        var expiry: PostgresTimestamp?
        var due: PostgresTimestamp
        var wakeEvent: String?
        var isResumed: Bool
        var worker: String
    }

    struct Answer: Equatable, Sendable {
        var answer: String
        /// The task's state, the checkpoint's state or the payload, whatever the function returns.
        var value: String?
        var sqlState: String?

        static func only(_ answer: String) -> Answer { Answer(answer: answer) }
    }

    func create(_ storageMode: String) async throws {
        try await run("select absurd.create_queue($1, $2)", [.text(name), .text(storageMode)])
    }

    /// The same queue, seen from another connection.
    func elsewhere() async throws -> ExtensionQueue {
        ExtensionQueue(connection: try await TestDatabase.current.connect(), name: name)
    }

    /// Sets the clock of this connection; the schema's functions read it instead of the server's.
    func setClock(_ time: String) async throws {
        try await run("select set_config('absurd.fake_now', $1, false)", [.text(time)])
    }

    func run(_ sql: String, _ parameters: [SQLParameter] = []) async throws {
        _ = try await connection.query(sql, parameters)
    }

    /// The first column of the first row as text.
    func text(_ sql: String, _ parameters: [SQLParameter] = []) async throws -> String? {
        try await connection.query(sql, parameters).first?.decode(0, as: String?.self) ?? nil
    }

    func count(_ table: String, where condition: String = "true") async throws -> Int {
        let sql = "select count(*) from absurd.\"\(table)_\(name)\" x where \(condition)"
        return try await connection.query(sql).first?.decode(0, as: Int.self) ?? 0
    }

    /// Everything the queue's tables and the registrations contain, for comparison.
    func contents() async throws -> [String] {
        var result: [String] = []
        for table in ["t", "r", "c", "e", "w"] {
            let sql = """
                select coalesce(jsonb_agg(to_jsonb(x) order by to_jsonb(x)::text), '[]')::text
                  from absurd."\(table)_\(name)" x
                """
            result.append(try await text(sql) ?? "")
        }
        result.append(
            try await text(
                "select coalesce(jsonb_agg(to_jsonb(x)), '[]')::text from absurd_swift.result_waits x")
                ?? "")
        return result
    }
}
