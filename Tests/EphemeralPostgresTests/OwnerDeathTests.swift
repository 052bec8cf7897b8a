import EphemeralPostgres
import Foundation
import Testing

/// The owner is another process here: an exit test that starts a server, says where, and dies.
@Suite(.timeLimit(.minutes(10)))
struct OwnerDeathTests {
    @Test(arguments: [SIGKILL, SIGTERM, SIGINT])
    func `the server goes with an owner that dies of a signal`(_ signal: Int32) async throws {
        let result = await #expect(
            processExitsWith: .signal(signal), observing: [\.standardOutputContent]
        ) { [signal] in
            let server = try await EphemeralPostgres.start()
            try FileHandle.standardOutput.write(
                contentsOf: Data("<\(server.socketDirectory) \(serverProcess(of: server))>".utf8))
            // As the outside world would, and without any of Swift's ways out.
            kill(getpid(), signal)
            try await Task.sleep(for: .seconds(60))
            withExtendedLifetime(server) {}
        }
        let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
        let report = try #require(output.split(separator: "<").last?.split(separator: ">").first)
        let directory = try #require(report.split(separator: " ").first.map(String.init))
        let process = try #require(report.split(separator: " ").last.flatMap { pid_t($0) })
        #expect(try await eventually { !FileManager.default.fileExists(atPath: directory) })
        #expect(try await eventually { !isAlive(process) })
    }

    @Test func `the server goes with an owner that just ends`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            let server = try await EphemeralPostgres.start()
            try FileHandle.standardOutput.write(contentsOf: Data("<\(server.socketDirectory)>".utf8))
            exit(0)
        }
        let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
        let report = try #require(output.split(separator: "<").last?.split(separator: ">").first)
        let directory = String(report)
        #expect(try await eventually { !FileManager.default.fileExists(atPath: directory) })
    }
}
