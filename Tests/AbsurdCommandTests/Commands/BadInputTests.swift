import Absurd
import LibPQ
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
            ["spawn", name], ["spawn", "t", "-q", name], ["spawn", "t", "--idempotency-key", name],
            ["spawn", "t", "-H", "\(name)=1"], ["spawn", "t", name], ["emit", name], ["emit", "e", name],
            ["tasks", "-q", name], ["tasks", "-n", name], ["tasks", "--since", name], ["task", name],
            ["cancel", name], ["retry", name], ["cleanup", name],
            ["cleanup", "default", "--older-than", name],
            ["workers", "-q", name],
        ] {
            try await expectAnswer(arguments, [0, 2, 4, 5, 64])
        }
        #expect(try await succeeding("queue", "list").output.contains("default"))
    }

    /// An answer with one of these statuses, and one error where it is not 0.
    private func expectAnswer(_ arguments: [String], _ statuses: Set<Int32>, input: String = "") async throws
    {
        let run = try await Command.run(
            arguments, environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString],
            input: input)
        let label = "\(arguments.map { $0.prefix(30) }): \(run.status) \(run.errors.prefix(300))"
        #expect(statuses.contains(run.status), "\(label)")
        // Some say on it what is no error, such as that there is nothing; what doctor has found is its output.
        if run.status != 0, arguments.first != "doctor" || run.status == 64 {
            #expect(!run.errors.isEmpty, "\(label)")
        }
        #expect(!run.errors.contains("PostgresError") && !run.errors.contains("Fatal"), "\(label)")
        // Nothing of an argument reaches the terminal as a control sequence.
        #expect(!run.errors.contains("\u{1b}") && !run.output.contains("\u{1b}"), "\(label)")
    }

    @Test(arguments: [
        #"\377\376"x""#: "standard input is not UTF-8", #""\355\240\200""#: "standard input is not UTF-8",
        #""a\000b""#: "a NUL character cannot be stored, at character 3", "": "nothing was given",
    ])
    func `standard input that is no JSON text is refused`(_ bytes: String, _ reason: String) async throws {
        try await succeeding("queue", "create", "default")
        for arguments in ["spawn task -", "emit event -"] {
            let run = try await Command.shell(
                "printf '\(bytes)' | absurd \(arguments)",
                environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString])
            #expect(run.status == 2)
            #expect(run.errors.hasSuffix(reason + "\n"), "\(run.errors)")
        }
        #expect(try await succeeding("tasks").output.isEmpty)
    }

    private static let durationOptions = [
        ["cleanup", "default", "--older-than"], ["spawn", "t", "--retry-base"],
        ["spawn", "t", "--retry-cap"],
        ["spawn", "t", "--start-within"], ["spawn", "t", "--end-within"],
    ]

    @Test(arguments: [
        "", "1", "s", "-1s", "1.5h", "1y", "1S", "1s 2m", "1h-30m", "0x1s", "９s", "１s", "∞", "infinity",
        "nan",
        "99999999999999999999d", "9223372036854775807ms", "3650001d", "\u{1b}[31m1s",
    ]) func `what is no length of time is refused by every option`(_ text: String) async throws {
        for option in Self.durationOptions + [["bench", "drain", "--duration"]] {
            try await expectAnswer(option + [text], [64])
        }
        for option in ["--grace", "--settle", "--restart-window", "--restart-pause", "--max-restart-pause"] {
            try await expectAnswer(["supervise", "--no-give-back", option, text, "--", "true"], [64])
        }
    }

    @Test(
        arguments: [("0s", [0]), ("1ms", [0]), ("1d", [0]), ("3650000d", [0, 2])] as [(String, Set<Int32>)])
    func `the shortest and the longest length of time`(_ text: String, _ statuses: Set<Int32>) async throws {
        try await succeeding("queue", "create", "default")
        for option in Self.durationOptions { try await expectAnswer(option + [text], statuses) }
    }

    @Test(arguments: ["", "x", "0", "-1", "1.5", "1e3", "2147483648", "99999999999999999999", "nan", "١"])
    func `what is no count is refused by every option`(_ text: String) async throws {
        for option in [
            ["spawn", "t", "--max-attempts"], ["tasks", "--limit"], ["cleanup", "default", "--batch"],
            ["retry", "019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d", "--max-attempts"],
            ["bench", "drain", "--count"], ["bench", "drain", "--concurrency"],
            ["bench", "drain", "--workers"],
            ["bench", "drain", "--connections"],
        ] {
            try await expectAnswer(option + [text], [64])
        }
        try await expectAnswer(["supervise", "--no-give-back", "-n", text, "--", "true"], [2, 64])
    }

    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    private static let documents: [(String, Set<Int32>)] = [
        (nested(500), [0]), (nested(501), [2]), (nested(1_000), [2]), (nested(50_000), [2]),
        (#"{"a": 1, "a": 2}"#, [0]), (#"{"": 1}"#, [0]), (#"{"a": 1,}"#, [2]), ("{'a': 1}", [2]),
        ("[1 2]", [2]), ("1 2", [2]), ("[", [2]), ("nul", [2]), ("NaN", [2]), ("1e400", [2]), ("01", [2]),
        (#""\u0000""#, [2]), (#""\ud800""#, [2]), ("\"\u{1b}[31m\"", [2]), ("\u{feff}1", [2]),
        ("123456789012345678901234567890", [0]), ("\"\(String(repeating: "x", count: 100_000))\"", [0]),
    ]

    @Test func `of equal keys the last value is stored, as jsonb has it`() async throws {
        try await succeeding("queue", "create", "default")
        try await expectAnswer(["spawn", "t", #"{"a": 1, "a": {"b": 1, "b": 2}}"#], [0])
        let rows = try await TestDatabase.current.connect().query(
            "select params = '{\"a\": {\"b\": 2}}' from absurd.t_default")
        #expect(try rows[0].decode(0, as: Bool.self))
    }

    @Test(arguments: documents.indices) func `a document is taken or refused by every command`(_ index: Int)
        async throws
    {
        let (document, statuses) = Self.documents[index]
        try await succeeding("queue", "create", "default")
        try await expectAnswer(["spawn", "t", document], statuses)
        try await expectAnswer(["spawn", "t", "--params", document], statuses)
        try await expectAnswer(["spawn", "t", "-"], statuses, input: document)
        try await expectAnswer(["emit", "e", document], statuses)
        // A header lies two levels deeper.
        try await expectAnswer(["spawn", "t", "-H", "h:=\(document)"], statuses.union(index == 0 ? [2] : []))
    }

    @Test(
        arguments: [
            (["workers", "x"], [64]), (["workers", "-q"], [64]), (["workers", "--json", "--nope"], [64]),
            (["doctor", "x"], [64]), (["doctor", "--database"], [64]), (["doctor", "--database", "x"], [2]),
            (["doctor", "--database", "postgresql://%zz"], [2]),
            (["migrate", "x"], [64]), (["migrate", "--database", "host='"], [2]),
            (["migrate", "--nope"], [64]),
            (["schema", "x"], [64]), (["schema", "--roles", "--base"], [64]), (["schema", "--nope"], [64]),
            (["supervise"], [64]), (["supervise", "true"], [64]), (["supervise", "--"], [64]),
            (["supervise", "--no-give-back", "--roll", "x", "--", "true"], [64]),
            (["supervise", "--no-give-back", "--strategy", "", "--", "true"], [64]),
            (["supervise", "--no-give-back", "--restart", "never", "--", "true"], [64]),
            (["supervise", "--no-give-back", "-n", "1001", "--", "true"], [2]),
            (["supervise", "--no-give-back", "--max-restarts", "-1", "--", "true"], [2, 64]),
            (["supervise", "--no-give-back", "--", "/nowhere/x"], [127]),
            (["supervise", "--no-give-back", "--", "\u{1b}[31m"], [127]),
            (["supervise", "--no-give-back", "--", ""], [2, 126, 127]),
            (["supervise", "--no-give-back", "--", "/"], [126, 127]),
            (["dev", "x"], [64]), (["dev", "--nope"], [64]), (["dev", "--queue"], [64]),
            (["dev", "--data"], [64]),
            (["dev", "--data", "/dev/null"], [2]), (["dev", "--", "/nowhere/x"], [127]),
            (["dev", "--", "\u{1b}[31m"], [127]),
            (["bench"], [64]), (["bench", "nope"], [64]), (["bench", "drain", "x"], [64]),
            (["bench", "drain", "--database", "x"], [2]), (["bench", "\u{1b}[31m"], [64]),
            (["nope"], [64]), (["queue", "nope"], [64]), (["--nope"], [64]),
        ] as [([String], Set<Int32>)])
    func `arguments that make no sense are refused by the other commands`(
        _ arguments: [String], _ statuses: Set<Int32>
    ) async throws {
        try await expectAnswer(arguments, statuses)
    }
}
