import Foundation
import LibPQ
import Testing

extension ExtensionQueue {
    struct Finish {
        var claim: Claim
        var action: String
        var payload: String?
        var step: String?
        var delay: Double?

        init(
            _ claim: Claim, _ action: String, _ payload: String? = nil, step: String? = nil,
            delay: Double? = nil
        ) {
            self.claim = claim
            self.action = action
            self.payload = payload
            self.step = step
            self.delay = delay
        }
    }

    @discardableResult
    func spawn(_ names: [String], options: String? = nil) async throws -> [UUID] {
        let rows = try await connection.query(
            """
            select task_id from absurd_swift.spawn($1, null, null, $2, $3, $4) order by position
            """,
            [
                .text(name), .textArray(names), .textArray(names.map { _ in "{}" }),
                .textArray(names.map { _ in options }),
            ])
        return try rows.map { try $0.decode("task_id") }
    }

    struct Spawned: Sendable {
        var task: UUID
        var isNew: Bool
    }

    /// One call for all rows, each with options of its own.
    @discardableResult
    func spawnTogether(_ rows: [(name: String, options: String)]) async throws -> [Spawned] {
        try await connection.query(
            "select task_id, created from absurd_swift.spawn($1, null, null, $2, $3, $4) order by position",
            [
                .text(name), .textArray(rows.map(\.name)), .textArray(rows.map { _ in "{}" }),
                .textArray(rows.map(\.options)),
            ]
        ).map { Spawned(task: try $0.decode("task_id"), isNew: try $0.decode("created")) }
    }

    /// Ids as a client makes them.
    func ids(_ count: Int) async throws -> [UUID] {
        try await connection.query(
            "select absurd.portable_uuidv7() from generate_series(1, $1)", [.int(Int64(count))]
        ).map { try $0.decode(0) }
    }

    struct NewTask: Sendable {
        var task: UUID
        var run: UUID
        var name: String?
        var params: String? = "{}"
        var options: String?
    }

    func newTasks(_ rows: [(name: String, options: String?)]) async throws -> [NewTask] {
        let ids = try await ids(rows.count * 2)
        return rows.enumerated().map { index, row in
            NewTask(task: ids[2 * index], run: ids[2 * index + 1], name: row.name, options: row.options)
        }
    }

    /// What `spawn_new` says, by position: of tasks that were made as they came it says nothing.
    func spawnNew(_ rows: [NewTask]) async throws -> [Int: Answer] {
        let told = try await connection.query(
            """
            select position, task_id::text as task, created::text as created, sqlstate
              from absurd_swift.spawn_new($1, $2, $3, $4, $5, $6)
            """,
            [
                .text(name), .uuidArray(rows.map(\.task)), .uuidArray(rows.map(\.run)),
                .textArray(rows.map(\.name)), .textArray(rows.map(\.params)), .textArray(rows.map(\.options)),
            ])
        return Dictionary(
            uniqueKeysWithValues: try told.map { row in
                let created: String? = try row.decode("created")
                return (
                    try row.decode("position", as: Int.self),
                    Answer(
                        answer: created.map { $0 == "true" ? "new" : "known" } ?? "refused",
                        value: try row.decode("task"), sqlState: try row.decode("sqlstate"))
                )
            })
    }

    func claim(
        limit: Int64 = 10, worker: String = "w", timeout: Int64 = 30, from due: PostgresTimestamp? = nil,
        sweeps: Bool = true, isRegistered: Bool = false, isRelaxed: Bool = false
    ) async throws -> [Claim] {
        let rows = try await connection.query(
            "select * from absurd_swift.claim($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                .text(name), .text(worker), .int(timeout), .int(limit),
                due.map { .timestamp($0) } ?? .null, .bool(sweeps), .bool(isRegistered), .bool(isRelaxed),
            ])
        return try rows.map { try Claim($0, worker: worker) }
    }

    /// Spawns one task and claims it.
    func claimNew(_ taskName: String = "task", options: String? = nil) async throws -> Claim {
        let task = try await spawn([taskName], options: options)[0]
        return try #require(try await claim(limit: 100).first { $0.task == task })
    }

    func finish(_ rows: [Finish], wait: Bool = true) async throws -> [Answer] {
        try await answers(
            """
            select answer, task_state as value, sqlstate
              from absurd_swift.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) order by position
            """,
            fence(rows.map(\.claim)) + [
                .textArray(rows.map(\.action)), .textArray(rows.map(\.payload)), .textArray(rows.map(\.step)),
                .timestampArray(rows.map { _ in nil }), .doubleArray(rows.map(\.delay)), .bool(wait),
            ])
    }

    /// Completes runs and nothing else; the function answers only for those that were not completed now.
    func complete(_ rows: [(claim: Claim, result: String?)]) async throws -> [Answer] {
        let told = try await connection.query(
            """
            select position, answer, task_state as value, sqlstate
              from absurd_swift.complete($1, $2, $3, $4, $5)
            """,
            fence(rows.map(\.claim)) + [.textArray(rows.map(\.result))])
        var answers = Array(repeating: Answer(answer: "done", value: "completed"), count: rows.count)
        for row in told {
            let answer = Answer(
                answer: try row.decode("answer"), value: try row.decode("value"),
                sqlState: try row.decode("sqlstate"))
            #expect(answer.answer != "done")
            answers[try row.decode("position", as: Int.self) - 1] = answer
        }
        return answers
    }

    func checkpoint(
        _ rows: [(claim: Claim, step: String, state: String?)], renewing timeout: Int64? = nil,
        wait: Bool = true
    ) async throws -> [Answer] {
        try await answers(
            """
            select answer, state as value, sqlstate
              from absurd_swift.checkpoint($1, $2, $3, $4, $5, $6, $7, $8) order by position
            """,
            fence(rows.map(\.claim)) + [
                .textArray(rows.map(\.step)), .textArray(rows.map(\.state)),
                .intArray(rows.map { _ in timeout }), .bool(wait),
            ])
    }

    func renew(_ claims: [Claim], timeout: Int64? = 30, wait: Bool = true) async throws -> [Answer] {
        try await answers(
            """
            select answer, claim_expires_at::text as value, null as sqlstate
              from absurd_swift.renew($1, $2, $3, $4, $5, $6) order by position
            """,
            fence(claims) + [.intArray(claims.map { _ in timeout }), .bool(wait)])
    }

    /// Gives back what a worker holds beside these claims; returns how many runs.
    func giveBackStrays(
        of worker: String, knowing claims: [Claim] = []
    ) async throws -> Int {
        try await connection.query(
            "select absurd_swift.give_back_strays($1, $2, $3, $4)",
            [
                .text(name), .text(worker), .uuidArray(claims.map(\.run)),
                .timestampArray(claims.map(\.token)),
            ])[0].decode(0)
    }

    func awaitEvent(
        _ rows: [(claim: Claim, step: String, event: String)], timeout: Double? = nil, park: Bool = true,
        wait: Bool = true
    ) async throws -> [Answer] {
        try await awaitEvents(
            rows.map { Wait(claim: $0.claim, step: $0.step, event: $0.event, timeout: timeout) },
            park: park, wait: wait)
    }

    struct Wait {
        var claim: Claim
        var step: String
        var event: String
        var timeout: Double?
    }

    func awaitEvents(_ rows: [Wait], park: Bool = true, wait: Bool = true) async throws -> [Answer] {
        try await answers(
            """
            select answer, payload as value, sqlstate
              from absurd_swift.await_event($1, $2, $3, $4, $5, $6, $7, $8, $9) order by position
            """,
            fence(rows.map(\.claim)) + [
                .textArray(rows.map(\.step)), .textArray(rows.map(\.event)),
                .doubleArray(rows.map(\.timeout)), .boolArray(rows.map { _ in park }), .bool(wait),
            ])
    }

    func awaitTask(
        _ rows: [(claim: Claim, step: String, task: UUID)], in queue: String? = nil, park: Bool = true,
        wait: Bool = true
    ) async throws -> [Answer] {
        try await answers(
            """
            select answer, payload as value, sqlstate
              from absurd_swift.await_task($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) order by position
            """,
            fence(rows.map(\.claim)) + [
                .textArray(rows.map(\.step)), .textArray(rows.map { _ in queue ?? name }),
                .uuidArray(rows.map(\.task)), .doubleArray(rows.map { _ in 3600 }),
                .boolArray(rows.map { _ in park }), .bool(wait),
            ])
    }

    func cancel(_ tasks: [UUID]) async throws -> [Answer] {
        try await answers(
            """
            select answer, task_state as value, null as sqlstate
              from absurd_swift.cancel($1, $2) order by position
            """, [.text(name), .uuidArray(tasks)])
    }

    func emit(_ event: String, _ payload: String = "null") async throws {
        try await run(
            "select absurd.emit_event($1, $2, $3::jsonb)", [.text(name), .text(event), .text(payload)])
    }

    func emitTogether(_ rows: [(event: String, payload: String?)]) async throws -> [Answer] {
        try await answers(
            "select answer, null as value, sqlstate from absurd_swift.emit($1, $2, $3) order by position",
            [.text(name), .textArray(rows.map(\.event)), .textArray(rows.map(\.payload))])
    }

    /// Looks at the queue and arms the connection's session.
    func arm(isArmed: Bool = false) async throws -> (outcome: String, dueIn: Double?) {
        let row = try await connection.query(
            "select outcome, due_in from absurd_swift.arm($1, $2)", [.text(name), .bool(isArmed)])[0]
        return (try row.decode("outcome"), try row.decode("due_in"))
    }

    /// Gives the queue functions of its own.
    func makeMissingFunctions() async throws {
        for row in try await connection.query(
            "select statement from absurd_swift.missing_functions($1)", [.text(name)])
        {
            try await run(try row.decode("statement"))
        }
    }

    func makeTrigger() async throws {
        for row in try await connection.query(
            "select statement from absurd_swift.missing_triggers($1)", [.text(name)])
        {
            try await connection.execute(script: try row.decode("statement"))
        }
    }

    private func fence(_ claims: [Claim]) -> [SQLParameter] {
        [
            .text(name), .text(claims.first?.worker ?? "w"), .uuidArray(claims.map(\.run)),
            .timestampArray(claims.map(\.token)),
        ]
    }

    private func answers(_ sql: String, _ parameters: [SQLParameter]) async throws -> [Answer] {
        try await connection.query(sql, parameters).map { row in
            Answer(
                answer: try row.decode("answer"), value: try row.decode("value"),
                sqlState: try row.decode("sqlstate"))
        }
    }
}
