import Absurd
import Foundation
import LibPQ
import Logging
import Subprocess
import TestSupport
import Testing

/// `SecondSignal` as documented, in a process of its own.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SecondSignalProcessTests {
    @Test func `two signals end a service group in the middle of its grace period, and runs go back`()
        async throws
    {
        let url = TestDatabase.current.connectionString
        let client = try AbsurdClient(AbsurdConfiguration(url), logger: .quiet)
        try await client.createQueue("default")
        _ = try await client.spawn("first attempt hangs", params: nil)
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "SupervisedWorker").path
        let result = try await run(
            .name("sh"), arguments: ["-c", "exec \"$0\"", program],
            environment: .inherit.updating(["ABSURD_DATABASE_URL": url, "PATIENT": "1"]),
            input: .none, output: .discarded, error: .discarded
        ) { execution in
            try await soon("it executes") { try await Self.state(client) == "running" }
            let process = execution.processIdentifier.value
            // One alone ends nobody who has an hour; two may arrive as one.
            try await soon("it ends") {
                kill(process, SIGTERM)
                return !isAlive(process)
            }
        }
        #expect(result.terminationStatus == .exited(0))
        #expect(try await Self.state(client) == "pending")
        #expect(try await client.workers().isEmpty)
        await client.close()
    }

    private static func state(_ client: AbsurdClient) async throws -> String {
        try await client.query(
            "select state from absurd.r_default where attempt = 1 limit 1")[0].decode(0)
    }
}
