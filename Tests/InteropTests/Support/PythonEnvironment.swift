import Foundation
import TestSupport
import Testing

/// The project's `.venv`, in which `make setup` installs the Python SDK and `absurdctl`.
enum PythonEnvironment {
    /// The path of one of its programs.
    ///
    /// Where it is missing, the test is cancelled; with `CI=true` it fails.
    static func program(_ name: String) throws -> String {
        let path = Repository.root.appending(path: ".venv/bin/\(name)").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            let message: Comment = "needs \(name) in .venv: run make setup"
            guard ProcessInfo.processInfo.environment["CI"] != "true" else {
                Issue.record(message)
                throw CancellationError()
            }
            try Test.cancel(message)
        }
        return path
    }

    /// The path of a program of these tests.
    static func script(_ name: String) -> String {
        Repository.root.appending(path: "Tests/InteropTests/Python/\(name)").path
    }
}
