import Absurd
import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

/// Connections that are lost within a commit: it has happened, and nobody is told.
///
/// On a server whose commits wait for a standby that does not exist; the session is ended while it waits there.
@Suite(.timeLimit(.minutes(5)))
struct LostCommitTests {
    @Test func `spawns, events and what runs write count once`() async throws {
        try await EphemeralPostgres.withServer { server in
            var configuration = AbsurdConfiguration(server.connectionString)
            configuration.statementTimeout = .seconds(300)
            let client = try AbsurdClient(configuration, logger: .quiet)
            try await client.migrate()
            try await client.createQueue("default")
            let commits = try await StalledCommits(server.connectionString)

            let spawned = try await losing("absurd_swift.spawn", commits) {
                try await withThrowingTaskGroup(of: TaskID.self) { group in
                    for _ in 0..<10 {
                        group.addTask { try await client.spawn("counted", params: nil).taskID }
                    }
                    return try await group.reduce(into: Set<TaskID>()) { $0.insert($1) }
                }
            }
            #expect(spawned.count == 10)
            #expect(try await commits.count("absurd.t_default") == 10)

            try await losing("absurd_swift.emit", commits) { try await client.emitEvent("paid", 1) }
            #expect(
                try await commits.count("absurd.e_default where event_name = 'paid' and payload = '1'") == 1)

            let runs = try await client.claimRuns(workerID: "hand", limit: 10)
            _ = try await losing("absurd_swift.checkpoint", commits) {
                try await client.setCheckpoint("step", of: runs[0], to: 7)
            }
            try await losing("absurd_swift.finish", commits) { try await client.complete(runs[0], result: 7) }
            #expect(try await commits.count("absurd.c_default where state = '7'") == 1)
            #expect(try await commits.count("absurd.r_default where state = 'completed'") == 1)
            await client.close()
            await commits.admin.close()
        }
    }

    /// Runs `body` while commits hang, ends the session whose commit of that statement does, and lets commits pass.
    private func losing<Result: Sendable>(
        _ statement: String, _ commits: StalledCommits,
        _ body: @Sendable @escaping () async throws -> Result
    ) async throws -> Result {
        try await commits.stall()
        async let result = body()
        try await commits.untilHanging(statement)
        try await commits.terminate(hanging: statement)
        try await commits.goOn()
        return try await result
    }
}
