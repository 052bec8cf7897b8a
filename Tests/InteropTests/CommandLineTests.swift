import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// `absurdctl`, unchanged, on our schema.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct CommandLineTests {
    @Test func `absurdctl makes queues of both kinds and lists them`() async throws {
        try await absurdctlSucceeds("create-queue", "plain")
        try await absurdctlSucceeds("create-queue", "parts", "--storage-mode", "partitioned")
        let listed = try await absurdctlSucceeds("list-queues").output
        #expect(listed.split(separator: "\n") == ["parts", "plain"])
        try await withClient { client in
            let plain = try await client.queuePolicy("plain")
            let parts = try await client.queuePolicy("parts")
            #expect(plain?.storageMode == .unpartitioned)
            #expect(parts?.storageMode == .partitioned)
        }
        try await absurdctlSucceeds("drop-queue", "parts", "--yes")
        #expect(try await absurdctlSucceeds("list-queues").output.split(separator: "\n") == ["plain"])
    }

    @Test func `absurdctl reads and changes a queue's policy`() async throws {
        try await withClient { client in
            try await client.createQueue("jobs")
            let shown = try await absurdctlSucceeds(
                "queue-policy", "jobs", "--cleanup-ttl", "10 days", "--cleanup-limit", "17", "--detach-mode",
                "empty",
                "--partition-lookahead", "5 days")
            #expect(try shown.value("cleanup_ttl") == "10 days")
            #expect(try shown.value("cleanup_limit") == "17")
            #expect(try shown.value("storage_mode") == "unpartitioned")
            let policy = try #require(try await client.queuePolicy("jobs"))
            #expect(policy.cleanupTTL == "10 days")
            #expect(policy.cleanupLimit == 17)
            #expect(policy.detachMode == .empty)
            #expect(policy.partitionLookahead == "5 days")
            let refused = try await absurdctl(["queue-policy", "jobs", "--cleanup-limit", "0"])
            #expect(!refused.succeeded)
            #expect(try await client.queuePolicy("jobs")?.cleanupLimit == 17)
        }
    }

    @Test func `a Swift worker serves a task that absurdctl spawned`() async throws {
        try await Both.with(queue: "jobs") { both in
            let spawned = try await absurdctlSucceeds(
                "spawn-task", "echo", "--queue", "jobs", "-P", "name=World", "-P", "order.amount:=3",
                "-H", "trace=t-1", "--max-attempts", "2", "--retry-kind", "fixed", "--retry-base", "0",
                "--max-duration", "600")
            let task = try #require(TaskID(try spawned.value("Task ID")))
            try await both.execute(task, by: .swift, until: "r.state = 'completed'")
            #expect(
                try await both.result(of: task) == [
                    "params": ["name": "World", "order": ["amount": 3]], "headers": ["trace": "t-1"],
                ])
            let listed = try await absurdctlSucceeds("list-tasks", "--queue", "jobs").output
            #expect(listed.contains("task_id=\(task)"))
            #expect(listed.contains("status=completed"))
            #expect(listed.contains("attempts=1/2"))
        }
    }

    @Test func `absurdctl lists tasks by state and name`() async throws {
        try await Both.with(queue: "jobs") { both in
            let sleeping = try await both.spawn("waiting", ["event": "go"])
            try await both.execute(sleeping, by: .swift, until: "r.state = 'sleeping'")
            let pending = try await both.spawn("echo")
            let bySleeping = try await absurdctlSucceeds("list-tasks", "-q", "jobs", "-s", "sleeping").output
            #expect(bySleeping.contains("\(sleeping)"))
            #expect(!bySleeping.contains("\(pending)"))
            let byName = try await absurdctlSucceeds("list-tasks", "-q", "jobs", "-n", "echo").output
            #expect(byName.contains("\(pending)"))
            #expect(!byName.contains("\(sleeping)"))
        }
    }

    @Test func `absurdctl dumps what a Swift worker recorded`() async throws {
        try await Both.with(queue: "jobs") { both in
            let task = try await both.spawn("waiting", ["event": "go"])
            try await both.execute(task, by: .swift, until: "r.state = 'sleeping'")
            let waiting = try await absurdctlSucceeds("dump-task", "--task-id", "\(task)").output
            #expect(waiting.contains("sleeping"))
            #expect(waiting.contains("go"))
            #expect(waiting.contains("first"))

            try await both.emit("go", ["n": 1], by: .swift)
            try await both.execute(task, by: .swift, until: "r.state = 'completed'")
            let completed = try await absurdctlSucceeds("dump-task", "--task-id", "\(task)").output
            #expect(
                try CommandResult(succeeded: true, output: completed, error: "").value("Task ID") == "\(task)"
            )
            for part in ["completed", "first", "second", "$awaitEvent:go"] {
                #expect(completed.contains(part), "\(part)")
            }
            let run = try await both.value("r.run_id::text", of: task, as: String.self)
            #expect(try await absurdctlSucceeds("dump-task", "--run-id", run).output.contains("\(task)"))
        }
    }

    /// Its own format for name, message and stack, which it uses only where all three are there.
    @Test func `absurdctl shows a failure of a Swift handler in its own words`() async throws {
        try await Both.with(queue: "jobs") { both in
            let params: JSONValue = ["fails_in": "swift", "message": "no luck"]
            let task = try await both.spawn("failing", params, options: SpawnOptions(maxAttempts: 1))
            try await both.execute(task, by: .swift, until: "r.state = 'failed'")
            let dump = try await absurdctlSucceeds("dump-task", "--task-id", "\(task)").output
            let failure = try #require(dump.range(of: "\nFAILURE\n")).upperBound
            #expect(dump[failure...].contains("Mishap"))
            #expect(dump[failure...].contains("Message:\n    no luck"))
            #expect(!dump[failure...].contains(#""message""#), "raw JSON:\n\(dump)")
        }
    }

    @Test func `absurdctl retries a task that failed in Swift`() async throws {
        try await Both.with(queue: "jobs") { both in
            let params: JSONValue = ["fails_in": "swift", "message": "no luck"]
            let task = try await both.spawn("failing", params, options: SpawnOptions(maxAttempts: 1))
            try await both.execute(task, by: .swift, until: "r.state = 'failed'")

            let retried = try await absurdctlSucceeds(
                "retry-task", "\(task)", "-q", "jobs", "--max-attempts", "3")
            #expect(try retried.value("Task ID") == "\(task)")
            #expect(try retried.value("Attempt") == "2")
            #expect(try await both.value("t.max_attempts", of: task, as: Int32.self) == 3)
            // The recorded step stays: Python does only the second.
            _ = both.takeExecuted(by: .swift)
            try await both.execute(task, by: .python, until: "r.state = 'completed'")
            #expect(both.takeExecuted(by: .python) == ["second"])

            let refused = try await absurdctl(["retry-task", "\(task)", "-q", "jobs"])
            #expect(!refused.succeeded)
            #expect(refused.error.contains("\(task)"))
        }
    }

    @Test func `absurdctl spawns a failed task anew`() async throws {
        try await Both.with(queue: "jobs") { both in
            let params: JSONValue = ["fails_in": "swift", "message": "no luck"]
            let task = try await both.spawn("failing", params, options: SpawnOptions(maxAttempts: 1))
            try await both.execute(task, by: .swift, until: "r.state = 'failed'")
            let retried = try await absurdctlSucceeds("retry-task", "\(task)", "-q", "jobs", "--spawn-new")
            let new = try #require(TaskID(try retried.value("Task ID")))
            #expect(new != task)
            #expect(try await both.checkpoints(of: new).isEmpty)
            #expect(try await both.value("t.params", of: new, as: String.self).contains("no luck"))
        }
    }

    @Test func `absurdctl cancels a task while Swift executes it`() async throws {
        try await Both.with(queue: "jobs") { both in
            let task = try await both.spawn("stepping")
            try await withWorker(both.client, queue: "jobs", handlers: Workflows.handlers(Executions())) {
                pool in
                let events = pool.events()
                try await both.wait(
                    for: task, until: "exists (select from absurd.c_jobs as c where c.task_id = t.task_id)")
                try await absurdctlSucceeds("cancel-task", "\(task)", "-q", "jobs")
                // The handler never ends by itself, so this event says that it was stopped.
                for await event in events {
                    if case .cancelled(let run) = event.kind {
                        #expect(run.taskID == task)
                        return
                    }
                }
            }
            #expect(try await both.value("t.state", of: task, as: String.self) == "cancelled")
        }
    }

    @Test func `absurdctl's event wakes a task of a Swift worker`() async throws {
        try await Both.with(queue: "jobs") { both in
            let task = try await both.spawn("waiting", ["event": "go"])
            try await both.execute(task, by: .swift, until: "r.state = 'sleeping'")
            try await absurdctlSucceeds("emit-event", "go", "-q", "jobs", "-P", "who=cli", "-P", "n:=2")
            try await both.execute(task, by: .swift, until: "r.state = 'completed'")
            #expect(try await both.result(of: task)?["payload"] == ["who": "cli", "n": 2])
        }
    }

    @Test func `absurdctl cleans up what Swift has finished`() async throws {
        try await Both.with(queue: "jobs") { both in
            let done = try await both.spawn("nothing")
            try await both.execute(done, by: .swift, until: "r.state = 'completed'")
            let open = try await both.spawn("nothing")
            try await both.emit("go", nil, by: .swift)
            let dry = try await absurdctlSucceeds("cleanup", "jobs", "0", "--dry-run").output
            #expect(dry.contains("1 tasks and 1 events"))
            try await absurdctlSucceeds("cleanup", "jobs", "0")
            #expect(try await both.client.task(done, on: "jobs") == nil)
            #expect(try await both.client.task(open, on: "jobs")?.state == .pending)
        }
    }

    @Test func `absurdctl migrate refuses to touch our schema`() async throws {
        let connection = try await TestDatabase.current.connect()
        let fingerprint = """
            select md5(string_agg(p.oid::text || p.xmin::text || pg_get_functiondef(p.oid), '' order by p.oid))
              from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
             where n.nspname in ('absurd', 'absurd_swift') and p.prokind = 'f'
            """
        let before: String = try await connection.query(fingerprint)[0].decode(0)
        #expect(try await absurdctlSucceeds("schema-version").output.contains("swift-0.5.1"))
        let network = ["PYTHONPATH": PythonEnvironment.script("network")]
        for arguments in [["migrate"], ["migrate", "--dry-run"], ["migrate", "--to", "0.5.1"]] {
            let refused = try await absurdctl(arguments, environment: network)
            #expect(!refused.succeeded)
            #expect(refused.error.contains("swift-0.5.1"), "\(refused.error)")
        }
        #expect(try await connection.query(fingerprint)[0].decode(0, as: String.self) == before)
    }
}
