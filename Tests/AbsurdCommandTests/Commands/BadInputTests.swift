import Absurd
import TestSupport
import Testing

/// The command with names and documents that nobody should type: an answer or one line of error, never a crash.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct BadInputTests {
    static let names = [
        "", " ", String(repeating: "n", count: 57), String(repeating: "n", count: 58),
        String(repeating: "n", count: 10_000),
        "'; drop table absurd.queues; --", "\"", "%s%n%I", "😀", "\u{1b}[31m", "a\nb",
    ]

    @Test(arguments: names)
    func `a name is taken or refused by every command`(_ name: String) async throws {
        try await succeeding("queue", "create", "default")
        for arguments in [
            ["queue", "create", name], ["queue", "policy", name], ["queue", "drop", "--yes", name + "x"],
            ["spawn", name],
            ["spawn", "t", "-q", name], ["spawn", "t", "--idempotency-key", name],
            ["spawn", "t", "-H", "\(name)=1"],
            ["spawn", "t", name], ["emit", name], ["emit", "e", name], ["tasks", "-q", name], ["task", name],
            ["cancel", name],
            ["retry", name], ["cleanup", name], ["cleanup", "default", "--older-than", name],
        ] {
            let run = try await Command.run(
                arguments, environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString])
            let label = "\(arguments.map { $0.prefix(30) }): \(run.status) \(run.errors.prefix(300))"
            #expect([0, 2, 4, 5, 64].contains(run.status), "\(label)")
            #expect(run.errors.isEmpty == (run.status == 0), "\(label)")
            #expect(!run.errors.contains("PostgresError") && !run.errors.contains("Fatal"), "\(label)")
            // Nothing of a name reaches the terminal as a control sequence.
            #expect(!run.errors.contains("\u{1b}") && !run.output.contains("\u{1b}"), "\(label)")
        }
        #expect(try await succeeding("queue", "list").output.contains("default"))
    }
}
