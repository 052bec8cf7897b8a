import EphemeralPostgres
import Foundation
import Subprocess
import TestSupport
import Testing

/// A program that the tests run as a user would, from outside.
struct Program {
    struct Outcome: Equatable {
        var status: Int32
        var output: String
        var error: String

        func expectSuccess(sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(status == 0, "\(error)", sourceLocation: sourceLocation)
        }
    }

    private let folder: String
    private let name: String

    /// One of those that `scripts/build-examples` builds.
    static func built(_ name: String) -> Program {
        Program(folder: Repository.root.appending(path: ".build/debug").path, name: name)
    }

    /// One of those that come with Postgres.
    static func clientTool(_ name: String) async throws -> Program {
        Program(folder: try await ServerBinaries.find().folder, name: name)
    }

    /// Runs it with these variables instead of those that lead to a database.
    func run(_ arguments: [String], _ environment: [String: String]) async throws -> Outcome {
        var variables = ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("PG") && name != "ABSURD_DATABASE_URL"
        }
        variables["PATH"] = "\(folder):\(variables["PATH"] ?? "")"
        variables.merge(environment) { $1 }
        let result = try await Subprocess.run(
            .name(name), arguments: Arguments(arguments),
            environment: .custom(
                Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0), $1) })),
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard case .exited(let status) = result.terminationStatus else {
            throw Crash(description: "\(name) was ended by \(result.terminationStatus)")
        }
        return Outcome(
            status: status, output: result.standardOutput, error: result.standardError)
    }

    struct Crash: Error, CustomStringConvertible { var description: String }

    fileprivate var isThere: Bool { FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") }
}

/// Cancels tests where the examples have not been built, or fails them in CI.
struct BuiltExamplesTrait: SuiteTrait, TestTrait {
    func prepare(for test: Test) async throws {
        let missing = ["FirstProgram", "HandlerTwice", "WrongParameters", "absurd"].filter {
            !Program.built($0).isThere
        }
        guard !missing.isEmpty else { return }
        let message =
            "\(missing.joined(separator: ", ")) not built: run make test, or scripts/build-examples --with-mistakes"
        guard ProcessInfo.processInfo.environment["CI"] != "true" else {
            throw Program.Crash(description: message)
        }
        try Test.cancel("\(message)")
    }
}

extension Trait where Self == BuiltExamplesTrait {
    /// Needs what `scripts/build-examples` builds.
    static var builtExamples: BuiltExamplesTrait { BuiltExamplesTrait() }
}
