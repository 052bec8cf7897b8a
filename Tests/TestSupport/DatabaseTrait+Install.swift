import CAbsurdSQL
import Foundation
import LibPQ
import Logging
import Subprocess
import Testing

extension DatabaseTrait.Contents {
    func install(into connectionString: String) async throws {
        switch self {
        case .empty:
            break
        case .migrated:
            try await apply(sqlFiles { !$0.hasPrefix("roles/") }, to: connectionString)
        case .official:
            try await absurdctl("init", "-d", connectionString)
            try await apply(sqlFiles { $0.hasPrefix("absurd_swift/") }, to: connectionString)
        }
    }
}

/// A command of the repository's `.venv` that did not do what it was asked to.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
}

private struct SQLFile {
    var name: String
    var text: String
}

/// The files of `sql/` as they are embedded in the library, in the order of their application.
private func sqlFiles(where isIncluded: (String) -> Bool) -> [SQLFile] {
    var count = 0
    let files = UnsafeBufferPointer(start: absurd_sql_files(&count), count: count)
    return files.compactMap { file in
        let name = String(cString: file.name)
        guard isIncluded(name) else { return nil }
        let bytes = UnsafeBufferPointer(start: file.text, count: file.length)
        return SQLFile(name: name, text: String(decoding: bytes, as: UTF8.self))
    }
}

private func apply(_ files: [SQLFile], to connectionString: String) async throws {
    let connection = try await PostgresConnection.connect(
        PostgresConfiguration(connectionString: connectionString), logger: .quiet)
    do {
        for file in files {
            do {
                try await connection.execute(script: file.text)
            } catch {
                throw CommandFailure(description: "sql/\(file.name): \(String(reflecting: error))")
            }
        }
    } catch {
        await connection.close()
        throw error
    }
    await connection.close()
}

/// Runs the `absurdctl` of the repository's `.venv`.
private func absurdctl(_ arguments: String...) async throws {
    let programs = Repository.root.appending(path: ".venv/bin").path
    guard FileManager.default.isExecutableFile(atPath: programs + "/absurdctl") else {
        let message = "needs absurdctl in .venv: run make setup"
        guard !runsInCI else { throw CommandFailure(description: message) }
        try Test.cancel("\(message)")
    }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let result = try await Subprocess.run(
        .name("absurdctl"), arguments: Arguments(arguments),
        environment: .inherit.updating(["PATH": programs + ":" + path]),
        output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard result.terminationStatus.isSuccess else {
        throw CommandFailure(
            description: "absurdctl \(arguments[0]) failed: \(result.standardError)\(result.standardOutput)")
    }
}
