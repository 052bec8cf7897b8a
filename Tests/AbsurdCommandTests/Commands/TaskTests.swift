import Absurd
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct TaskTests {
    /// A task whose first attempt recorded a step and failed, and whose second waits for an event.
    private func makeWaitingTask() async throws -> TaskHandle<JSONValue> {
        try await withClient { client in
            try await client.createQueue("orders")
            let task = try await client.spawn("process_order", params: ["id": "17"], on: "orders")
            let first = try await client.claimRuns(on: "orders", workerID: "w1")[0]
            try await client.setCheckpoint("charge", of: first, to: ["charge": "ch_1"])
            try await client.fail(first, TaskFailure("the card\nwas declined", name: "PaymentError"))
            let second = try await client.claimRuns(on: "orders", workerID: "w2")[0]
            try await client.setCheckpoint("reserve", of: second, to: nil)
            _ = try await client.awaitEvent("paid:17", for: second)
            return task
        }
    }

    @Test func `a task is told as a timeline, found by its id or by that of a run`() async throws {
        let task = try await makeWaitingTask()
        for id in [task.taskID.description, task.runID.description.uppercased()] {
            let lines = try await succeeding("task", id).lines
            #expect(lines[0] == "task     \(task.taskID)")
            #expect(lines.contains("state    sleeping"))
            #expect(lines.contains("attempt  2 of 5"))
            let events = lines.drop { !$0.hasSuffix("  spawned") }.map {
                String($0.dropFirst("2000-01-01 00:00:00.000Z".count + 2))
            }
            #expect(
                events == [
                    "spawned",
                    "attempt 1 started by worker w1",
                    #"  step charge: {"charge": "ch_1"}"#,
                    #"attempt 1 failed: PaymentError: the card\nwas declined"#,
                    "attempt 2 started",
                    "  step reserve: null",
                    "waits for event 'paid:17' in step $awaitEvent:paid:17",
                ])
        }
    }

    @Test func `the JSON of a task has its runs, steps and waits`() async throws {
        let task = try await makeWaitingTask()
        let json = try await succeeding("task", "\(task.taskID)", "-q", "orders", "--json").json
        let more: Set = [
            "params", "headers", "retry_strategy", "cancellation", "idempotency_key", "result", "runs",
            "steps",
            "waits", "has_more_runs", "has_more_steps",
        ]
        #expect(json.keys == SpawnAndTasksTests.summaryKeys.union(more))
        let runs = json["runs"]?.array ?? []
        #expect(runs.map { $0["state"] } == ["failed", "sleeping"])
        #expect(runs[0]["failure"]?["name"] == "PaymentError")
        #expect(
            runs[0].keys == [
                "run_id", "attempt", "state", "worker_id", "created_at", "due_at", "started_at",
                "claim_expires_at",
                "completed_at", "failed_at", "awaited_event", "failure",
            ])
        let steps = json["steps"]?.array ?? []
        #expect(steps.map { $0["step"] } == ["charge", "reserve"])
        #expect(steps.map { $0["attempt"] } == [1, 2])
        #expect(steps[0].keys == ["step", "value", "run_id", "attempt", "recorded_at"])
        let wait = try #require(json["waits"]?.array.first)
        #expect(wait.keys == ["event", "task_id", "task_queue", "run_id", "step", "since", "deadline"])
        #expect(wait["event"] == "paid:17")
    }

    @Test func `an event wakes, a retry gives an attempt, a cancellation ends, and each says so`()
        async throws
    {
        let task = try await makeWaitingTask()
        let id = "\(task.taskID)"
        #expect(
            try await succeeding("emit", "paid:17", #"{"ok": true}"#, "-q", "orders").output
                == "event 'paid:17' emitted in queue 'orders'\n")
        #expect(
            try await succeeding("emit", "paid:17", "2", "-q", "orders").output
                == "event 'paid:17' was emitted before in queue 'orders'; nothing changed\n")
        for (event, isFirst) in [("sent:17", true), ("sent:17", false)] {
            #expect(
                try await succeeding("emit", event, "-q", "orders", "--json").json
                    == ["event": .string(event), "queue": "orders", "emitted": .bool(isFirst)])
        }
        #expect(
            try await succeeding("cleanup", "-q", "orders").output
                == "queue 'orders': 0 tasks and 0 events deleted\n")
        #expect(try await succeeding("task", id, "--json").json["state"] == "pending")
        let early = try await absurd("retry", id)
        #expect(early.status == 5)
        try await withClient { client in
            let run = try await client.claimRuns(on: "orders", workerID: "w3")[0]
            try await client.fail(run, TaskFailure("no", retry: .never))
        }
        let text = try await succeeding("task", id).output
        #expect(text.contains("task failed for good"))
        let anew = try await succeeding("retry", id, "--as-new", "--max-attempts", "2", "--json").json
        #expect(anew["created"] == true)
        #expect(
            try await succeeding("retry", id, "--max-attempts", "9").output.contains("is due for attempt 3"))
        #expect(try await succeeding("cancel", id).output == "task \(id) is cancelled\n")
        let again = try await succeeding("cancel", id, "--json").json
        #expect(again == ["task_id": .string(id), "queue": "orders", "state": "cancelled"])
        #expect(try await succeeding("task", id).output.contains("task cancelled"))
    }

    @Test func `a cleanup deletes in batches until nothing is left`() async throws {
        try await withClient { client in
            try await client.createQueue("q")
            for _ in 0..<5 {
                let task = try await client.spawn("t", params: nil, on: "q")
                try await client.cancelTask(task.taskID, on: "q")
            }
            try await client.emitEvent("e", on: "q")
        }
        #expect(try await succeeding("cleanup", "q").output == "queue 'q': 0 tasks and 0 events deleted\n")
        let run = try await succeeding("cleanup", "--all", "--older-than", "0s", "--batch", "2", "--json")
            .json
        #expect(run == ["queues": [["queue": "q", "tasks": 5, "events": 1]]])
        #expect(try await absurd("cleanup").status == 64)
    }
}
