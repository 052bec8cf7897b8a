import Foundation
import TestSupport
import Testing

/// The project's `.venv`, in which `make setup` installs the Python SDK and `absurdctl`.
enum PythonEnvironment {
    private static let programs = Repository.root.appending(path: ".venv/bin").path

    /// The search path that finds its programs first.
    ///
    /// Where the wanted one is missing, the test is cancelled; with `CI=true` it fails.
    static func path(to name: String) throws -> String {
        guard FileManager.default.isExecutableFile(atPath: "\(programs)/\(name)") else {
            let message: Comment = "needs \(name) in .venv: run make setup"
            guard ProcessInfo.processInfo.environment["CI"] != "true" else {
                Issue.record(message)
                throw CancellationError()
            }
            try Test.cancel(message)
        }
        return programs + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
    }

    /// The path of a program of these tests.
    static func script(_ name: String) -> String {
        Repository.root.appending(path: "Tests/InteropTests/Python/\(name)").path
    }
}
