import Absurd
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SpawnAndTasksTests {
    static let summaryKeys: Set<String> = [
        "task_id", "queue", "task_name", "state", "attempt", "max_attempts", "run_id", "spawned_at",
        "started_at",
        "ended_at", "due_at", "awaited_event", "worker_id", "claim_expires_at", "failure",
    ]

    @Test func `the help says what happens without an option`() async throws {
        let help = try await Command.run(["spawn", "--help"]).output
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(help.contains("a number, or 'unlimited'. (default: 5)"))
        #expect(help.contains("Without any retry option the next attempt is due at once."))
    }

    @Test func `all options of a spawn are stored`() async throws {
        try await succeeding("queue", "create", "default")
        let spawned = try await succeeding(
            "spawn", "t", #"{"big": 12345678901234567890123, "z": 1, "a": null}"#, "--max-attempts",
            "unlimited",
            "--retry-base", "2s", "--retry-cap", "1m", "--start-within", "1h", "--end-within", "2d", "-H",
            "a=b=c",
            "-H", "n:=[1]", "--idempotency-key", "k", "--json"
        ).json
        #expect(spawned.keys == ["task_id", "run_id", "queue", "attempt", "created"])
        #expect(spawned["created"] == true)
        let id = try #require(spawned["task_id"]?.stringValue)
        let shown = try await succeeding("task", id, "--json")
        // As text: no parser on the way loses the digits.
        #expect(shown.output.contains("12345678901234567890123"))
        let task = try shown.json
        #expect(task["max_attempts"] == .null)
        #expect(task["headers"] == ["a": "b=c", "n": [1]])
        #expect(task["retry_strategy"]?["kind"] == "exponential")
        #expect(task["retry_strategy"]?["base_seconds"]?.doubleValue == 2)
        #expect(task["cancellation"] == ["max_delay": 3600, "max_duration": 172_800])
        #expect(task["idempotency_key"] == "k")
        let again = try await succeeding("spawn", "t", "--idempotency-key", "k")
        #expect(again.output.hasPrefix("task \(id) was there already"))
    }

    @Test func `parameters come as an argument, as an option, from standard input or not at all`()
        async throws
    {
        try await succeeding("queue", "create", "default")
        for (arguments, stored) in [
            (["[1]"], "[1]"), (["--params", "[2]"], "[2]"), (["-"], "[3]"), ([], "null"),
            (["--params=-4"], "-4"),
        ] {
            let url = TestDatabase.current.connectionString
            let spawned = try await Command.run(
                ["spawn", "t", "--json"] + arguments, environment: ["ABSURD_DATABASE_URL": url],
                input: "[3]\n")
            let id = try #require(spawned.json["task_id"]?.stringValue)
            #expect(try await succeeding("task", id).lines.contains("params   \(stored)"))
        }
    }

    @Test func `tasks are listed newest first, by every filter and page by page`() async throws {
        var ids: [String] = []
        for queue in ["a", "b"] { try await succeeding("queue", "create", queue) }
        for (queue, name) in [("a", "x"), ("b", "x"), ("a", "y")] {
            let spawned = try await succeeding("spawn", name, "-q", queue, "--json").json
            ids.append(try #require(spawned["task_id"]?.stringValue))
        }
        try await succeeding("cancel", ids[2])
        func list(_ arguments: String...) async throws -> [String?] {
            let url = TestDatabase.current.connectionString
            let run = try await Command.run(
                ["tasks", "--json"] + arguments, environment: ["ABSURD_DATABASE_URL": url])
            let tasks = try run.json["tasks"]?.array ?? []
            #expect(tasks.allSatisfy { $0.keys == Self.summaryKeys })
            return tasks.map { $0["task_id"]?.stringValue }
        }
        #expect(try await list() == [ids[2], ids[1], ids[0]])
        #expect(try await list("-q", "a") == [ids[2], ids[0]])
        #expect(try await list("-n", "x") == [ids[1], ids[0]])
        #expect(try await list("-s", "cancelled") == [ids[2]])
        #expect(
            try await list("-s", "pending", "-s", "cancelled", "--since", "1h") == [ids[2], ids[1], ids[0]])
        #expect(try await list("--since", "2999-01-01") == [])
        #expect(try await list("-l", "1") == [ids[2]])
        #expect(try await list("-l", "1", "--before", ids[2]) == [ids[1]])
        let page = try await succeeding("tasks", "-l", "1")
        #expect(page.errors == "There may be more: --before \(ids[2])\n")
        #expect(page.lines[1].hasPrefix("\(ids[2])  a"))
        #expect(try await succeeding("tasks", "-n", "nobody").errors == "No task matches.\n")
    }

    @Test func `a name cannot command the terminal`() async throws {
        try await succeeding("queue", "create", "default")
        try await succeeding("spawn", "\u{1b}[2Jbad\nline", "{}")
        let run = try await succeeding("tasks")
        #expect(run.lines.count == 2)
        #expect(run.lines[1].contains(#"\u{1b}[2Jbad\nline"#))
    }

    @Test func `a task with a name of 10,000 bytes and one with 100 levels of JSON are shown`() async throws {
        try await succeeding("queue", "create", "default")
        let name = String(repeating: "n", count: 10_000)
        try await succeeding("spawn", name)
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        let id = try #require(
            try await succeeding("spawn", "deep", deep, "--json").json["task_id"]?.stringValue)
        #expect(try await succeeding("tasks").lines.allSatisfy { $0.count < 300 })
        #expect(try await succeeding("tasks", "-n", name, "--json").json["tasks"]?.array.count == 1)
        #expect(try await succeeding("task", id, "--json").output.contains(deep))
    }
}
