import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Our worker on a database that `absurdctl init` has made.
@Suite(.database(.official), .timeLimit(.minutes(10)))
struct OfficialSchemaTests {
    @Test func `migrating leaves the official schema as it is`() async throws {
        try await withClient { client in
            let fingerprint = """
                select md5(string_agg(pg_get_functiondef(p.oid), '' order by p.oid))
                  from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
                 where n.nspname = 'absurd' and p.prokind = 'f'
                """
            let before: String = try await client.query(fingerprint)[0].decode(0)
            let report = try await client.migrate()
            #expect(report.isOfficialBase)
            #expect(report.previousVersion == "0.5.1")
            #expect(try await client.schemaVersion().absurd == "0.5.1")
            #expect(try await client.query(fingerprint)[0].decode(0, as: String.self) == before)
            #expect(try await absurdctlSucceeds("schema-version").output.contains("0.5.1"))
        }
    }

    @Test(arguments: StorageMode.allCases)
    func `a journey with steps, a sleep, an event and a child reaches its end`(storage: StorageMode)
        async throws
    {
        let executions = Executions()
        try await withQueue("jobs", storage) { client in
            try await withWorker(client, queue: "jobs", handlers: journey(executions)) { _ in
                let task = try await client.spawn(
                    "journey", params: ["event": "go"], on: "jobs",
                    options: SpawnOptions(headers: ["trace": "t-1"]))
                try await TestDatabase.current.wait(
                    until: "select wake_event = 'go' from absurd.r_jobs where run_id = $1",
                    [.uuid(task.runID.uuid)])
                try await client.emitEvent("go", ["n": 1] as JSONValue, on: "jobs")
                #expect(
                    try await task.result(timeout: .seconds(20)) == [
                        "first": 1, "second": 2, "payload": ["n": 1], "child": "child of t-1",
                    ])
                #expect(executions.take() == ["first", "second"])
            }
        }
    }

    @Test(arguments: StorageMode.allCases)
    func `a failed task is attempted again, fails for good and is retried`(storage: StorageMode) async throws
    {
        let attempts = Mutex(0)
        let handler = Handler("third time lucky") { context in
            let step = try await context.step("once") { attempts.withLock { $0 + 1 } }
            guard
                attempts.withLock({
                    $0 += 1; return $0
                }) == 3
            else { throw TaskFailure("no luck") }
            return .complete(.integer(Int64(step)))
        }
        try await withQueue("jobs", storage) { client in
            try await withWorker(client, queue: "jobs", handlers: [handler]) { _ in
                let task = try await client.spawn(
                    "third time lucky", params: nil, on: "jobs", options: SpawnOptions(maxAttempts: 2))
                let failure = await #expect(throws: TaskFailure.self) {
                    try await task.result(timeout: .seconds(20))
                }
                #expect(failure?.message == "no luck")
                let retried = try await client.retryTask(task.taskID, on: "jobs")
                #expect(retried.attempt == 3)
                // The step that the first attempt recorded stands.
                #expect(try await retried.result(timeout: .seconds(20)) == 1)
            }
        }
    }

    @Test(arguments: StorageMode.allCases)
    func `a cancelled task stops`(storage: StorageMode) async throws {
        try await withQueue("jobs", storage) { client in
            try await withWorker(client, queue: "jobs", handlers: Workflows.handlers(Executions())) { pool in
                let events = pool.events()
                let task = try await client.spawn("stepping", params: nil, on: "jobs")
                try await TestDatabase.current.wait(
                    until: "select exists (select from absurd.c_jobs where task_id = $1)",
                    [.uuid(task.taskID.uuid)])
                #expect(try await task.cancel() == .cancelled)
                for await event in events {
                    if case .cancelled(let run) = event.kind {
                        #expect(run.taskID == task.taskID)
                        return
                    }
                }
            }
        }
    }

    @Test(arguments: StorageMode.allCases)
    func `an idempotency key counts once`(storage: StorageMode) async throws {
        try await withQueue("jobs", storage) { client in
            let options = SpawnOptions(idempotencyKey: "order-1")
            let first = try await client.spawn("nothing", params: nil, on: "jobs", options: options)
            let second = try await client.spawn("nothing", params: nil, on: "jobs", options: options)
            #expect(first.wasCreated)
            #expect(!second.wasCreated)
            #expect(second.taskID == first.taskID)
        }
    }

    @Test(arguments: Side.allCases)
    func `both sides share a task there, too`(beginner: Side) async throws {
        try await Both.with { both in
            try await shareASleepingTask(both, beginner: beginner)
            try await shareAWaitingTask(both, beginner: beginner)
        }
    }

    @Test(arguments: Side.allCases)
    func `repeated names are numbered alike there, too`(beginner: Side) async throws {
        try await Both.with { both in try await shareARepeatingTask(both, beginner: beginner) }
    }
}

private func withQueue(
    _ queue: String, _ storage: StorageMode, _ body: (AbsurdClient) async throws -> Void
) async throws {
    try await withClient { client in
        try await client.createQueue(queue, storage: storage)
        try await client.migrate()
        try await body(client)
    }
}

private func journey(_ executions: Executions) -> [Handler] {
    let child = TaskKind<String, String>("child", queue: "jobs")
    let steps = Steps(executions: executions)
    return [
        Handler("journey") { context in
            let first = try await steps.step(context, "first", 1)
            try await context.sleep("nap", for: .milliseconds(50))
            let payload = try await context.awaitEvent("go", as: JSONValue.self, timeout: .hours(1))
            let handle = try await context.spawn(child, context.headers["trace"]?.stringValue ?? "")
            let answer = try await context.result(of: handle)
            let second = try await steps.step(context, "second", 2)
            return .complete(["first": first, "second": second, "payload": payload, "child": .string(answer)])
        },
        Handler(child) { trace, _ in "child of \(trace)" },
    ]
}
