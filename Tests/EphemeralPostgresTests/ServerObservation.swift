import EphemeralPostgres
import Foundation
import Subprocess
import Testing

struct PSQLFailure: Error {
    var text: String
}

/// What `psql` prints for a statement, without the end of its last line.
func psql(_ connectionString: String, _ statement: String) async throws -> String {
    let folder = try await ServerBinaries.find().folder
    let path = folder + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
    let result = try await run(
        .name("psql"), arguments: ["-XAtq", "-d", connectionString, "-c", statement],
        environment: .inherit.updating(["PATH": path]),
        output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard result.terminationStatus.isSuccess else { throw PSQLFailure(text: result.standardError) }
    return result.standardOutput.trimmingCharacters(in: .newlines)
}

func expectAnswer(
    _ answer: String, to statement: String, at connectionString: String,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let actual = try await psql(connectionString, statement)
    #expect(actual == answer, sourceLocation: sourceLocation)
}

/// The lines of the file in which a running server describes itself.
func lockFile(of server: EphemeralPostgres) throws -> [String] {
    let directory = server.options.dataDirectory ?? server.socketDirectory + "/data"
    return try String(contentsOfFile: directory + "/postmaster.pid", encoding: .utf8)
        .components(separatedBy: "\n")
}

func serverProcess(of server: EphemeralPostgres) throws -> pid_t {
    try #require(pid_t(try lockFile(of: server)[0]))
}

/// Whether a process runs; one that has ended and was not yet collected by its parent does not.
func isAlive(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0 || errno == EPERM else { return false }
    // Without /proc, as on macOS, the signal's answer has to do.
    let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    return status.split(separator: ")").last?.split(separator: " ").first != "Z"
}

/// Whether a condition comes true within ten seconds.
func eventually(_ condition: () throws -> Bool) async throws -> Bool {
    for _ in 0..<500 {
        if try condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return false
}
