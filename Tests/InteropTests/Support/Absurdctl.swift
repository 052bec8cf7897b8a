import Foundation
import Subprocess
import TestSupport
import Testing

/// What a command of `absurdctl` printed, and whether it succeeded.
struct CommandResult: Sendable {
    var succeeded: Bool
    var output: String
    var error: String

    /// What stands behind a label, as in `Task ID: 01a2…`.
    func value(_ label: String) throws -> String {
        let line = try #require(
            output.split(separator: "\n").first { $0.contains("\(label):") }, "\(output)\(error)")
        return line.split(separator: ":", maxSplits: 1)[1].trimmingCharacters(in: .whitespaces)
    }
}

/// Runs a command of the project's `absurdctl` on the test's database.
///
/// - Parameter environment: Variables beside those of this process.
func absurdctl(_ arguments: [String], environment: [String: String] = [:]) async throws -> CommandResult {
    var changes: [Environment.Key: String?] = [
        "PATH": try PythonEnvironment.path(to: "absurdctl"),
        "PGDATABASE": TestDatabase.current.connectionString, "ABSURD_DATABASE_URL": nil,
    ]
    for (name, value) in environment {
        if let key = Environment.Key(rawValue: name) { changes[key] = value }
    }
    let result = try await run(
        .name("absurdctl"), arguments: Arguments(arguments), environment: .inherit.updating(changes),
        output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    return CommandResult(
        succeeded: result.terminationStatus.isSuccess, output: result.standardOutput,
        error: result.standardError)
}

/// The same for a command that has to succeed.
@discardableResult
func absurdctlSucceeds(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws
    -> CommandResult
{
    let result = try await absurdctl(arguments)
    #expect(result.succeeded, "\(arguments): \(result.error)", sourceLocation: sourceLocation)
    return result
}
