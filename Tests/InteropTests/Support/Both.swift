import Absurd
import Foundation
import LibPQ
import Synchronization
import TestSupport
import Testing

/// The two implementations that share a queue.
enum Side: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case python
    case swift

    var other: Side { self == .python ? .swift : .python }
    var testDescription: String { rawValue }
}

/// Both implementations on one queue of the test's database, with the same workflows registered.
struct Both: Sendable {
    let peer: Peer
    let client: AbsurdClient
    let queue: String
    private let turn: Turn
    private let executedInSwift = Executions()

    static func with(queue: String = "shared", _ body: (Both) async throws -> Void) async throws {
        let turn = Turn()
        try await withClient(hooks: turn.hooks) { client in
            try await client.createQueue(queue)
            try await Peer.with(queue: queue) { peer in
                try await body(Both(peer: peer, client: client, queue: queue, turn: turn))
            }
        }
    }

    /// Spawns a task through the client of one side.
    func spawn(
        _ name: String, _ params: JSONValue = .object([:]), by side: Side = .swift,
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskID {
        switch side {
        case .swift:
            return try await client.spawn(name, params: params, on: queue, options: options).taskID
        case .python:
            var arguments: [String: JSONValue] = [:]
            arguments["max_attempts"] = options.maxAttempts?.attempts.map { .integer(Int64($0)) }
            let task = try await peer.call("spawn", [.string(name), params], arguments)
            return try taskID(task)
        }
    }

    func emit(_ event: String, _ payload: JSONValue, by side: Side) async throws {
        switch side {
        case .swift: try await client.emitEvent(event, payload, on: queue)
        case .python: try await peer.call("emit_event", [.string(event), payload])
        }
    }

    /// Lets the workers of one side execute the task once: from its claim until its newest run is as wanted.
    func execute(
        _ task: TaskID, by side: Side, until condition: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        switch side {
        case .python:
            try await peer.call("work_batch")
            #expect(try await run(of: task, is: condition), sourceLocation: sourceLocation)
        case .swift:
            try await turn.taken {
                let handlers = Workflows.handlers(executedInSwift)
                try await withWorker(
                    client, queue: queue, handlers: handlers, options: { $0.concurrency = 1 }
                ) { _ in
                    defer { turn.end() }
                    try await wait(for: task, until: condition, sourceLocation: sourceLocation)
                }
            }
        }
    }

    /// The bodies of steps that ran on one side since the last time this was asked.
    func takeExecuted(by side: Side) -> [String] {
        side == .python ? peer.takeExecuted() : executedInSwift.take()
    }
}

extension Both {
    /// Waits until the newest run of a task is as wanted: a condition on the run `r` and its task `t`.
    func wait(
        for task: TaskID, until condition: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await TestDatabase.current.wait(
            until: question(condition), [.uuid(task.uuid)], sourceLocation: sourceLocation)
    }

    func run(of task: TaskID, is condition: String) async throws -> Bool {
        try await client.query(question(condition), [.uuid(task.uuid)])[0].decode(0, as: Bool?.self) ?? false
    }

    private func question(_ condition: String) -> String {
        """
        select \(condition) from absurd."t_\(queue)" as t join absurd."r_\(queue)" as r on r.run_id = t.last_attempt_run
         where t.task_id = $1
        """
    }

    /// Waits until a short timeout has passed, by the database's clock.
    ///
    /// A worker that is being stopped may have claimed the run at that instant and given it back, pending.
    func waitUntilDue(_ task: TaskID, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await wait(
            for: task, until: "r.state in ('sleeping', 'pending') and r.available_at <= clock_timestamp()",
            sourceLocation: sourceLocation)
    }

    /// Ends a nap at once, once the worker that began it is stopped.
    ///
    /// A nap that ends by itself can be over when it has just been recorded. Python looks at the clock again then, and goes
    /// on with what the other side is to resume.
    func endNap(_ name: String, of task: TaskID) async throws {
        // Only the year changes: the next side shall read the time in the words of the one that wrote it.
        _ = try await client.query(
            #"""
            update absurd."c_\#(queue)" set state = to_jsonb(overlay(state #>> '{}' placing '2020' from 1 for 4))
             where task_id = $1 and checkpoint_name = $2
            """#,
            [.uuid(task.uuid), .text(name)])
        try await makeDue(task)
    }

    /// Ends a longer pause at once.
    func makeDue(_ task: TaskID) async throws {
        _ = try await client.query(
            #"update absurd."r_\#(queue)" set available_at = clock_timestamp() where task_id = $1 and state = 'sleeping'"#,
            [.uuid(task.uuid)])
    }

    /// The recorded steps of a task.
    func checkpoints(of task: TaskID) async throws -> [String: JSONValue] {
        let rows = try await client.query(
            #"select checkpoint_name, state from absurd."c_\#(queue)" where task_id = $1"#, [.uuid(task.uuid)]
        )
        return try Dictionary(
            uniqueKeysWithValues: rows.map { row in
                (try row.decode("checkpoint_name"), try decodeJSON(row.decode("state")))
            })
    }

    func result(of task: TaskID) async throws -> JSONValue? {
        try await client.task(task, on: queue)?.result
    }

    /// One value of the newest run of a task, or of the task.
    func value<Value: SQLDecodable>(_ expression: String, of task: TaskID, as: Value.Type = Value.self)
        async throws -> Value
    {
        try await client.query(question(expression), [.uuid(task.uuid)])[0].decode(0)
    }
}

func taskID(_ answer: JSONValue) throws -> TaskID {
    try #require(answer["task_id"]?.stringValue.flatMap { TaskID($0) })
}

func decodeJSON(_ text: String) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
}
