import Absurd
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct QueueTests {
    @Test func `a queue is created once, listed, and dropped when --yes is said`() async throws {
        #expect(try await succeeding("queue", "list").errors.contains("absurd queue create"))
        let created = try await succeeding("queue", "create", "orders", "--storage", "partitioned", "--json")
            .json
        #expect(created["created"] == true)
        #expect(created["storage_mode"] == "partitioned")
        #expect(
            try await succeeding("queue", "create", "orders", "--storage", "partitioned").output
                == "queue 'orders' was there already\n")
        let list = try await succeeding("queue", "list", "--json").json["queues"]?.array ?? []
        #expect(list.map { $0["queue"]?.stringValue } == ["orders"])
        let refused = try await absurd("queue", "drop", "orders")
        #expect(refused.status == 2)
        #expect(refused.errors.contains("--yes"))
        #expect(try await succeeding("queue", "drop", "orders", "--yes").output == "queue 'orders' dropped\n")
        #expect(try await succeeding("queue", "list", "--json").json == ["queues": []])
    }

    @Test func `the policy is shown, and changed by options`() async throws {
        try await succeeding("queue", "create", "q", "--cleanup-ttl", "7 days")
        let before = try await succeeding("queue", "policy", "q", "--json").json
        #expect(before["cleanup_ttl"] == "7 days")
        #expect(before["cleanup_limit"] == 1000)
        let after = try await succeeding(
            "queue", "policy", "q", "--cleanup-limit", "5", "--detach-mode", "empty")
        #expect(after.lines.contains("cleanup-limit        5"))
        #expect(after.lines.contains("cleanup-ttl          7 days"))
        #expect(after.lines.contains("detach-mode          empty"))
        #expect(try await absurd("queue", "policy", "q", "--cleanup-ttl", "soon").status == 2)
        #expect(try await absurd("queue", "policy", "q", "--cleanup-limit", "0").status == 2)
    }

    @Test(arguments: ["it's", #"say "hi""#, "a b", "-x", "🎉", "*", "$HOME", "UPPER", "sémaphore"])
    func `a queue may have any name, and the command that creates it can be typed as printed`(
        name: String
    ) async throws {
        let missing = try await absurd("tasks", "--queue=\(name)")
        #expect(missing.status == 4)
        let command = try #require(missing.errors.firstRange(of: "absurd queue create"))
        let typed = String(missing.errors[command.lowerBound...])
        let url = TestDatabase.current.connectionString
        let run = try await Command.shell(typed, environment: ["ABSURD_DATABASE_URL": url])
        #expect(run.status == 0, "\(typed): \(run.errors)")
        try await succeeding("spawn", "t", "--queue=\(name)")
        let tasks = try await succeeding("tasks", "--queue=\(name)", "--json").json["tasks"]?.array ?? []
        #expect(tasks.map { $0["queue"]?.stringValue } == [name])
        try await succeeding("queue", "drop", "--yes", "--", name)
    }

    @Test(arguments: [("", "empty"), (String(repeating: "q", count: 58), "57 bytes")])
    func `a name that no queue can have is refused`(name: String, reason: String) async throws {
        let run = try await absurd("queue", "create", name)
        #expect(run.status == 2)
        #expect(run.errors.contains(reason))
    }
}
