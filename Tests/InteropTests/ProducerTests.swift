import Absurd
import Foundation
import TestSupport
import Testing

/// A producer of one implementation, a worker of the other.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ProducerTests {
    @Test func `a Swift worker serves a Python producer`() async throws {
        try await Both.with { both in
            let spawned = try await both.peer.call(
                "spawn", ["echo", ["order": "o-1", "sample": Workflows.sample]],
                ["headers": ["trace": "t-1", "depth": 2, "nothing": nil], "idempotency_key": "o-1"])
            let task = try taskID(spawned)
            try await both.execute(task, by: .swift, until: "r.state = 'completed'")

            let snapshot = try await both.peer.call("await_task_result", [.string(task.description)])
            #expect(snapshot["state"] == "completed")
            #expect(snapshot["result"]?["params"] == ["order": "o-1", "sample": Workflows.sample])
            #expect(snapshot["result"]?["headers"] == ["trace": "t-1", "depth": 2, "nothing": nil])
        }
    }

    @Test func `a Python worker serves a Swift producer`() async throws {
        let kind = TaskKind<JSONValue, JSONValue>("echo", queue: "shared")
        try await Both.with { both in
            try await both.peer.call("start_worker", [], ["poll_interval": 0.01])
            let task = try await both.client.spawn(
                kind, ["order": "o-1", "sample": Workflows.sample],
                options: SpawnOptions(headers: ["trace": "t-1", "depth": 2]))
            let result = try await task.result(timeout: .seconds(20))
            #expect(result["params"] == ["order": "o-1", "sample": Workflows.sample])
            #expect(result["headers"] == ["trace": "t-1", "depth": 2])
        }
    }

    @Test func `both producers store the same options in the same words`() async throws {
        try await Both.with { both in
            let python = try taskID(
                try await both.peer.call(
                    "spawn", ["nothing", ["n": 1]],
                    [
                        "max_attempts": 7,
                        "retry_strategy": [
                            "kind": "exponential", "base_seconds": 2, "factor": 3, "max_seconds": 60,
                        ],
                        "cancellation": ["max_delay": 30, "max_duration": 600],
                        "headers": ["trace": "t-1"],
                        "idempotency_key": "python",
                    ]))
            let swift = try await both.spawn(
                "nothing", ["n": 1],
                options: SpawnOptions(
                    maxAttempts: 7, retry: .exponential(base: .seconds(2), factor: 3, cap: .seconds(60)),
                    cancellation: CancellationPolicy(startWithin: .seconds(30), endWithin: .seconds(600)),
                    headers: ["trace": "t-1"], idempotencyKey: "swift"))
            let columns = """
                jsonb_build_array(t.task_name, t.params, t.headers, t.retry_strategy, t.max_attempts, t.cancellation,
                  t.state, t.attempts, r.attempt, r.state)
                """
            let stored = try await both.value(columns, of: swift, as: String.self)
            #expect(try await stored == both.value(columns, of: python))
        }
    }

    @Test func `what a producer leaves out is stored as nothing by both`() async throws {
        try await Both.with { both in
            let columns =
                "jsonb_build_array(t.headers, t.retry_strategy, t.cancellation, t.idempotency_key, t.max_attempts)"
            for side in Side.allCases {
                let task = try await both.spawn("nothing", nil, by: side)
                #expect(
                    try await decodeJSON(both.value(columns, of: task)) == [nil, nil, nil, nil, 5],
                    "\(side.rawValue)")
                #expect(try await both.value("t.params", of: task, as: String.self) == "null")
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `an idempotency key of one producer counts for the other`(first: Side) async throws {
        try await Both.with { both in
            let options: [String: JSONValue] = ["idempotency_key": "order-1"]
            let python: () async throws -> TaskID = {
                try taskID(try await both.peer.call("spawn", ["echo", ["by": "python"]], options))
            }
            let swift: () async throws -> TaskID = {
                try await both.spawn(
                    "echo", ["by": "swift"], options: SpawnOptions(idempotencyKey: "order-1"))
            }
            let original = try await first == .python ? python() : swift()
            let repeated = try await first == .python ? swift() : python()
            #expect(repeated == original)
            #expect(
                try await both.value("t.params ->> 'by'", of: original, as: String.self) == first.rawValue)
            let again = try await both.client.spawn(
                "echo", params: nil, on: both.queue, options: SpawnOptions(idempotencyKey: "order-1"))
            #expect(!again.wasCreated)
        }
    }

    @Test func `a failure in Python is thrown to a Swift producer`() async throws {
        try await Both.with { both in
            let task = try await both.client.spawn(
                "failing", params: ["fails_in": "python", "message": "no luck"], on: both.queue,
                options: SpawnOptions(maxAttempts: 1))
            try await both.peer.call("work_batch")
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(5))
            }
            #expect(failure?.name == "ValueError")
            #expect(failure?.message == "no luck")
            #expect(failure?.stack?.contains("workflows.py") == true)
        }
    }

    @Test func `a failure in Swift is read by a Python producer`() async throws {
        try await Both.with { both in
            let params: JSONValue = ["fails_in": "swift", "message": "no luck"]
            let task = try await both.spawn(
                "failing", params, by: .python, options: SpawnOptions(maxAttempts: 1))
            try await both.execute(task, by: .swift, until: "r.state = 'failed'")
            let snapshot = try await both.peer.call("fetch_task_result", [.string(task.description)])
            #expect(snapshot["state"] == "failed")
            #expect(snapshot["failure"]?["name"] == "Mishap")
            #expect(snapshot["failure"]?["message"] == "no luck")
            #expect(snapshot["failure"]?["traceback"]?.stringValue != nil)
        }
    }

    @Test(arguments: Side.allCases)
    func `a task that one side cancels ends silently on the other`(canceller: Side) async throws {
        let queue = "shared"
        try await Both.with(queue: queue) { both in
            let task = try await both.spawn("stepping", by: canceller)
            let started = #"exists (select from absurd."c_\#(queue)" as c where c.task_id = t.task_id)"#
            let next = try await both.spawn("nothing", by: canceller)
            switch canceller {
            case .swift:
                try await both.peer.call("start_worker", [], ["poll_interval": 0.01])
                try await both.wait(for: task, until: started)
                #expect(try await both.client.cancelTask(task, on: queue) == .cancelled)
                // Its worker goes on: with one slot it serves the next task only once it has let go of this one.
                try await both.wait(for: next, until: "t.state = 'completed'")
            case .python:
                let handlers = Workflows.handlers(Executions())
                try await withWorker(
                    both.client, queue: queue, handlers: handlers, options: { $0.concurrency = 1 }
                ) {
                    _ in
                    try await both.wait(for: task, until: started)
                    try await both.peer.call("cancel_task", [.string(task.description)])
                    try await both.wait(for: next, until: "t.state = 'completed'")
                }
            }
            #expect(try await both.value("t.state", of: task, as: String.self) == "cancelled")
            #expect(try await both.value("r.state", of: task, as: String.self) == "cancelled")
            #expect(try await both.value("r.failure_reason is null", of: task, as: Bool.self))
            #expect(try await both.value("t.attempts", of: task, as: Int32.self) == 1)
        }
    }

    @Test func `a task without result has JSON null for both readers`() async throws {
        try await Both.with { both in
            for side in Side.allCases {
                let task = try await both.spawn("nothing", by: side.other)
                try await both.execute(task, by: side, until: "r.state = 'completed'")
                #expect(try await both.value("t.completed_payload", of: task, as: String.self) == "null")
                #expect(try await both.value("r.result", of: task, as: String.self) == "null")
                #expect(try await both.result(of: task) == JSONValue.null)
                let snapshot = try await both.peer.call("fetch_task_result", [.string(task.description)])
                #expect(snapshot == ["state": "completed"])
            }
        }
    }
}
