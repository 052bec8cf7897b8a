import Foundation
import LibPQ
import Testing

/// How the functions that claim what they have made due are called: by their names, or as the queue's own.
enum BesideCall: CaseIterable, Sendable { case schema, own }

extension ExtensionQueue {
    struct Emission: Sendable {
        /// Nil when the function did nothing.
        var answer: String?
        var claim: Claim?
        var payload: String?
        var checkpoints: [String: String?] = [:]
    }

    func spawnAndClaim(
        _ row: NewTask, worker: String = "w", timeout: Int64 = 30, by call: BesideCall = .own
    ) async throws -> Claim? {
        let function = call == .own ? #"absurd_swift."start:\#(name)"("# : "absurd_swift.spawn_and_claim($8, "
        let rows = try await connection.query(
            "select * from \(function)$1, $2, $3, $4, $5, $6, $7)",
            [
                .uuid(row.task), .uuid(row.run), row.name.map { .text($0) } ?? .null,
                row.params.map { .text($0) } ?? .null, row.options.map { .text($0) } ?? .null, .text(worker),
                .int(timeout),
            ] + (call == .own ? [] : [.text(name)]))
        return try rows.first.map { try Claim($0, worker: worker) }
    }

    func emitAndClaim(
        _ event: String, _ payload: String? = nil, worker: String = "w", timeout: Int64 = 30,
        names: [String] = ["task"], bytes: Int64 = 8 << 20, by call: BesideCall = .own
    ) async throws -> Emission {
        let function = call == .own ? #"absurd_swift."raise:\#(name)"("# : "absurd_swift.emit_and_claim($7, "
        let rows = try await connection.query(
            "select * from \(function)$1, $2, $3, $4, $5, $6)",
            [
                .text(event), payload.map { .text($0) } ?? .null, .text(worker), .int(timeout),
                .textArray(names), .int(bytes),
            ] + (call == .own ? [] : [.text(name)]))
        guard let first = rows.first else { return Emission() }
        var emission = Emission(
            answer: try first.decode("answer"), payload: try first.decode("event_payload"))
        if try first.decode("task_name", as: String?.self) != nil {
            emission.claim = try Claim(first, worker: worker)
        }
        for row in rows.dropFirst() {
            let isRepeated = try ["params", "event_payload", "answer"].contains {
                try row.decode($0, as: String?.self) != nil
            }
            #expect(try row.decode("run_id", as: UUID?.self) == nil)
            #expect(!isRepeated)
            emission.checkpoints.updateValue(try row.decode("state"), forKey: try row.decode("step"))
        }
        return emission
    }

    /// The rows of all tables without what differs between two queues of the same history.
    func history() async throws -> [String] {
        var result: [String] = []
        for (table, ids) in [
            ("t", "'task_id' - 'last_attempt_run'"), ("r", "'run_id' - 'task_id'"),
            ("c", "'task_id' - 'owner_run_id'"), ("e", "'none'"), ("w", "'task_id' - 'run_id'"),
        ] {
            let sql = """
                select coalesce(jsonb_agg(to_jsonb(x) - \(ids) order by (to_jsonb(x) - \(ids))::text), '[]')::text
                  from absurd."\(table)_\(name)" x
                """
            result.append("\(table): \(try await text(sql) ?? "")")
        }
        return result
    }
}

extension ExtensionQueue.Claim {
    init(_ row: SQLRow, worker: String) throws {
        self.init(
            run: try row.decode("run_id"), task: try row.decode("task_id"),
            taskName: try row.decode("task_name"), attempt: try row.decode("attempt"),
            token: try row.decode("token"), expiry: try row.decode("claim_expires_at"),
            due: try row.decode("due"), wakeEvent: try row.decode("wake_event"),
            isResumed: try row.decode("resumed"), worker: worker)
    }
}
