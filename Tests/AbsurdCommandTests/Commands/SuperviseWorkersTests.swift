import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// `absurd supervise` with workers on a database, whose claims it gives back.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SuperviseWorkersTests {
    private static let worker = Command.folder + "/SupervisedWorker"

    /// Supervises one worker with four runs, kills it, and returns what the command said when it gave up.
    private func killingTheWorker(as role: String? = nil) async throws -> CommandRun {
        let url = TestDatabase.current.connectionString
        return try await withAbsurd(AbsurdConfiguration(url), logger: .quiet) { client in
            try await client.createQueue("default")
            for _ in 0..<4 { _ = try await client.spawn("first attempt hangs", params: nil) }
            // libpq's: what a session of the supervisor begins with.
            let session = role.map { ["PGOPTIONS": "-c role=\($0)"] } ?? [:]
            async let run = Command.run(
                [
                    "supervise", "--max-restarts", "0", "--", "env", "-u", "PGOPTIONS", Self.worker,
                ],
                environment: session.merging(["ABSURD_DATABASE_URL": url]) { $1 })
            try await eventually("the worker holds all runs") {
                try await client.workers().first?.running == 4
            }
            let worker = try #require(try await client.workers().first)
            kill(Int32(worker.processID), SIGKILL)
            return try await run
        }
    }

    private func runs() async throws -> [String] {
        try await TestDatabase.current.connect().query(
            "select attempt || ' ' || state from absurd.r_default order by 1"
        ).map { try $0.decode(0) }
    }

    @Test func `what a killed child held goes back`() async throws {
        let run = try await killingTheWorker()
        #expect(run.status == 1)
        #expect(run.errors.contains(": 4 claimed runs given back\n"), "\(run.errors)")
        #expect(
            try await runs() == Array(repeating: "1 failed", count: 4)
                + Array(repeating: "2 pending", count: 4))
    }

    @Test func `two SIGTERMs end a worker in its grace period, and its runs go back unspent`() async throws {
        let url = TestDatabase.current.connectionString
        let client = try AbsurdClient(AbsurdConfiguration(url), logger: .quiet)
        try await client.createQueue("default")
        for _ in 0..<4 { _ = try await client.spawn("first attempt hangs", params: nil) }
        let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (pidFile, mark) = (folder.appending(path: "pid").path, folder.appending(path: "told").path)
        async let run = Command.run(
            ["supervise", "--", "sh", "-c", "echo $PPID >'\(pidFile)'; exec \(Self.worker)"],
            environment: ["ABSURD_DATABASE_URL": url, "PATIENT": "1", "STOP_MARK": mark])
        try await eventually("the worker holds all runs") {
            try await client.workers().first?.running == 4
        }
        let text = try String(contentsOfFile: pidFile, encoding: .utf8)
        let supervisor = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        kill(supervisor, SIGTERM)
        try await eventually("it is told to stop") { FileManager.default.fileExists(atPath: mark) }
        // That one signal ends nothing has no event to wait for; and the worker would take two that come close for one.
        try await Task.sleep(for: .milliseconds(500))
        #expect(try await runs() == Array(repeating: "1 running", count: 4))
        kill(supervisor, SIGTERM)
        try await eventually("the runs go back") {
            try await runs() == Array(repeating: "1 pending", count: 4)
        }
        #expect(try await run.status == 0)
        await client.close()
    }

    @Test func `a role that may not give claims back is told, and they are left to others`() async throws {
        // One that every server has, and that may use no schema of ours.
        let run = try await killingTheWorker(as: "pg_signal_backend")
        #expect(
            run.errors.contains(": its claims could not be given back and are taken over later: "),
            "\(run.errors)")
        #expect(try await runs() == Array(repeating: "1 running", count: 4))
    }
}
