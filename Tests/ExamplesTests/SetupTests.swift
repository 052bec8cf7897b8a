import Foundation
import Subprocess
import TestSupport
import Testing

/// What `scripts/setup` tells an ordinary user, on a machine of which the test decides what is there.
@Suite(.timeLimit(.minutes(10)))
struct SetupTests {
    private static let libraries = ["swift", "pkg-config", "postgres", "initdb"]

    @Test func `whoever lacks only what tests need is told the command, and may build`() async throws {
        let outcome = try await setUp(having: Self.libraries)
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("packages that some tests need are missing"))
        #expect(
            outcome.error.contains(
                "    apt-get update && apt-get install -y --no-install-recommends openssl "))
        #expect(outcome.error.contains("python3 python3-venv"))
        #expect(outcome.error.contains("tests over TLS are skipped: openssl is missing"))
        #expect(outcome.error.contains("tests against the Python SDK and absurdctl are skipped"))
    }

    @Test func `with CI=true no test is skipped for lack of a package`() async throws {
        let outcome = try await setUp(having: Self.libraries, ["CI": "true"])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("openssl is missing, and CI=true asks for the tests that need it"))
    }

    @Test func `what tests need is not asked for without them`() async throws {
        let outcome = try await setUp(having: Self.libraries, arguments: ["--without-tests"])
        #expect(outcome == Outcome(status: 0, error: ""))
    }

    @Test func `whoever lacks what building needs is told the command for everything`() async throws {
        let outcome = try await setUp(having: Self.libraries.filter { $0 != "pkg-config" } + ["openssl"])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("packages are missing and only root can install them"))
        #expect(outcome.error.contains("--no-install-recommends libpq-dev pkg-config "))
        #expect(!outcome.error.contains("openssl"))
        #expect(outcome.error.contains("python3 python3-venv"))
    }

    @Test func `without a known package manager the names are listed`() async throws {
        let outcome = try await setUp(having: Self.libraries, manager: nil)
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("no package manager that this script knows"))
        #expect(outcome.error.contains("\n    openssl\n"))
    }

    private struct Outcome: Equatable {
        var status: Int32
        var error: String
    }

    /// Runs a copy of the script, in a checkout without a Python environment, with nothing on its path but these
    /// programs, which do nothing, and the tools that it uses itself.
    private func setUp(
        having programs: [String], manager: String? = "apt-get", arguments: [String] = [],
        _ environment: [String: String] = [:]
    ) async throws -> Outcome {
        let root = URL.temporaryDirectory.appending(path: "setup-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let (scripts, folder) = (root.appending(path: "scripts"), root.appending(path: "bin"))
        for directory in [scripts, folder] {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        }
        for name in ["setup", "requirements.txt"] {
            try FileManager.default.copyItem(
                at: Repository.root.appending(path: "scripts/\(name)"), to: scripts.appending(path: name))
        }
        for tool in ["bash", "dirname", "tr", "find", "cmp", "rm", "mkdir", "cp"] {
            try FileManager.default.createSymbolicLink(
                at: folder.appending(path: tool), withDestinationURL: try place(of: tool))
        }
        for program in programs + [manager].compactMap(\.self) {
            try write("exit 0", to: program, in: folder)
        }
        try write("echo 1000", to: "id", in: folder)
        var variables = ["PATH": folder.path, "ABSURD_POSTGRES_BIN": folder.path]
        variables.merge(environment) { $1 }
        let result = try await Subprocess.run(
            .name("bash"), arguments: Arguments([scripts.appending(path: "setup").path] + arguments),
            environment: .custom(
                Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0), $1) })),
            output: .discarded, error: .string(limit: 1 << 20))
        guard case .exited(let status) = result.terminationStatus else {
            throw Program.Crash(description: "setup was ended by \(result.terminationStatus)")
        }
        return Outcome(status: status, error: result.standardError)
    }

    private func write(_ script: String, to name: String, in folder: URL) throws {
        let file = folder.appending(path: name)
        try Data("#!/bin/bash\n\(script)\n".utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    }

    private func place(of tool: String) throws -> URL {
        try #require(
            ["/usr/bin", "/bin"].map { URL(filePath: "\($0)/\(tool)") }
                .first { FileManager.default.isExecutableFile(atPath: $0.path) })
    }
}
