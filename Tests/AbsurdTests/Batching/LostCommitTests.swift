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
            try await losing("absurd_swift.complete", commits) {
                try await client.complete(runs[0], result: 7)
            }
            #expect(try await commits.count("absurd.c_default where state = '7'") == 1)
            #expect(try await commits.count("absurd.r_default where state = 'completed'") == 1)
            await client.close()
            await commits.admin.close()
        }
    }

    /// Claims do not wait for standbys, but those that have swept do.
    @Test func `a claim that counts without an answer costs its runs no attempt`() async throws {
        try await EphemeralPostgres.withServer { server in
            var configuration = AbsurdConfiguration(server.connectionString)
            configuration.statementTimeout = .seconds(300)
            let client = try AbsurdClient(configuration, logger: .quiet)
            try await client.migrate()
            try await client.createQueue("default")
            let target = PostgresConfiguration(connectionString: server.connectionString)
            let commits = try await StalledCommits(server.connectionString)
            let producer = try await PostgresConnection.connect(target, logger: .quiet)
            try await producer.execute(script: "set synchronous_commit = local")
            let handler = Handler("once") { .complete(.integer(Int64($0.attempt))) }
            let options = testOptions { $0.claimTimeout = .seconds(3600) }
            let pool = try WorkerPool(client, queue: "default", handlers: [handler], options: options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await eventually("the worker is registered") {
                    try await commits.count("absurd_swift.workers") == 1
                }
                try await losing("absurd_swift.claim", commits) {
                    // A claim to sweep, which sets free the last attempt for the same statement.
                    try await producer.execute(
                        script: """
                            begin;
                            select absurd.spawn_task('default', 'once', '{}', '{"max_attempts": 2}');
                            select absurd.claim_task('default', 'ghost', 1, 1);
                            update absurd.r_default set claim_expires_at = now() - interval '1 s';
                            commit
                            """)
                }
                try await eventually("the task is completed in its last attempt") {
                    try await commits.count("absurd.t_default where completed_payload = '2'") == 1
                }
                group.cancelAll()
            }
            await client.close()
            await producer.close()
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
