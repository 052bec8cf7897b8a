import Absurd
import Foundation
import Subprocess
import TestSupport
import Testing

/// What a run of the built command said, and how it ended.
struct CommandRun {
    var status: Int32
    var output: String
    var errors: String

    /// Standard output as one JSON document.
    var json: JSONValue {
        get throws { try JSONDecoder().decode(JSONValue.self, from: Data(output.utf8)) }
    }

    /// The lines of standard output.
    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

enum Command {
    /// The folder of the built programs, which is that of the tests.
    static let folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path

    /// Runs `absurd`, found as a shell finds it, with nothing of Postgres in its environment but what is given.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async throws -> CommandRun {
        try await run("absurd", arguments, environment: environment, input: input)
    }

    /// Runs a line of shell, as somebody types it.
    static func shell(_ line: String, environment: [String: String] = [:]) async throws -> CommandRun {
        try await run("sh", ["-c", line], environment: environment, input: "")
    }

    private static func run(
        _ program: String, _ arguments: [String], environment: [String: String], input: String
    ) async throws -> CommandRun {
        var changes: [Environment.Key: String?] = [:]
        let inherited = ProcessInfo.processInfo.environment
        for name in inherited.keys where name.hasPrefix("PG") || name.hasPrefix("ABSURD_") {
            if let key = Environment.Key(rawValue: name) { changes[key] = .some(nil) }
        }
        changes["PATH"] = "\(folder):\(inherited["PATH"] ?? "/usr/bin:/bin")"
        for (name, value) in environment {
            if let key = Environment.Key(rawValue: name) { changes[key] = value }
        }
        let result = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), environment: .inherit.updating(changes),
            input: .string(input), output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
        let status =
            switch result.terminationStatus {
            case .exited(let status): status
            case .signaled(let signal): 128 + signal
            }
        return CommandRun(
            status: status, output: result.standardOutput, errors: result.standardError)
    }
}

/// Runs `absurd` on the test's database.
func absurd(_ arguments: String..., input: String = "") async throws -> CommandRun {
    try await Command.run(
        arguments, environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString], input: input)
}

/// As ``absurd(_:input:)``, for a run that has to succeed.
@discardableResult
func succeeding(
    _ arguments: String..., input: String = "", sourceLocation: SourceLocation = #_sourceLocation
) async throws -> CommandRun {
    let run = try await Command.run(
        arguments, environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString], input: input)
    #expect(run.status == 0, "\(run.errors)", sourceLocation: sourceLocation)
    return run
}

extension JSONValue {
    var array: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    var keys: Set<String> {
        guard case .object(let members) = self else { return [] }
        return Set(members.keys)
    }
}

/// Lends a client for the test's database.
func withClient<Result>(_ body: (AbsurdClient) async throws -> Result) async throws -> Result {
    try await withAbsurd(
        AbsurdConfiguration(TestDatabase.current.connectionString), logger: .quiet, body)
}
