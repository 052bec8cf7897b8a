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
            let admin = try await PostgresConnection.connect(
                PostgresConfiguration(connectionString: server.connectionString), logger: .quiet)
            // Its own statements are not to wait.
            try await admin.execute(script: "set synchronous_commit = local")

            let spawned = try await losing("absurd_swift.spawn", admin) {
                try await withThrowingTaskGroup(of: TaskID.self) { group in
                    for _ in 0..<10 {
                        group.addTask { try await client.spawn("counted", params: nil).taskID }
                    }
                    return try await group.reduce(into: Set<TaskID>()) { $0.insert($1) }
                }
            }
            #expect(spawned.count == 10)
            #expect(try await count("absurd.t_default", admin) == 10)

            try await losing("absurd_swift.emit", admin) { try await client.emitEvent("paid", 1) }
            #expect(
                try await count("absurd.e_default where event_name = 'paid' and payload = '1'", admin) == 1)

            let runs = try await client.claimRuns(workerID: "hand", limit: 10)
            _ = try await losing("absurd_swift.checkpoint", admin) {
                try await client.setCheckpoint("step", of: runs[0], to: 7)
            }
            try await losing("absurd_swift.finish", admin) { try await client.complete(runs[0], result: 7) }
            #expect(try await count("absurd.c_default where state = '7'", admin) == 1)
            #expect(try await count("absurd.r_default where state = 'completed'", admin) == 1)
            await client.close()
            await admin.close()
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
            let admin = try await PostgresConnection.connect(target, logger: .quiet)
            let producer = try await PostgresConnection.connect(target, logger: .quiet)
            for session in [admin, producer] {
                try await session.execute(script: "set synchronous_commit = local")
            }
            let handler = Handler("once") { .complete(.integer(Int64($0.attempt))) }
            let options = testOptions { $0.claimTimeout = .seconds(3600) }
            let pool = try WorkerPool(client, queue: "default", handlers: [handler], options: options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await eventually("the worker is registered") {
                    try await count("absurd_swift.workers", admin) == 1
                }
                try await losing("absurd_swift.claim", admin) {
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
                    try await count("absurd.t_default where completed_payload = '2'", admin) == 1
                }
                group.cancelAll()
            }
            await client.close()
            await producer.close()
            await admin.close()
        }
    }

    /// Runs `body` while commits hang, ends the session whose commit of that statement does, and lets commits pass.
    private func losing<Result: Sendable>(
        _ statement: String, _ admin: PostgresConnection,
        _ body: @Sendable @escaping () async throws -> Result
    ) async throws -> Result {
        try await setStandby("nobody", admin)
        async let result = body()
        try await eventually("a commit of \(statement) waits") {
            try await count("pg_stat_activity where \(hanging(statement))", admin) > 0
        }
        _ = try await admin.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where \(hanging(statement))")
        try await setStandby("", admin)
        return try await result
    }

    private func hanging(_ statement: String) -> String {
        "wait_event = 'SyncRep' and query like '%\(statement)%' and pid <> pg_backend_pid()"
    }

    private func setStandby(_ name: String, _ admin: PostgresConnection) async throws {
        _ = try await admin.query("alter system set synchronous_standby_names = '\(name)'")
        _ = try await admin.query("select pg_reload_conf()")
        // Told to everybody by the checkpointer, a moment later than it can be read.
        try await eventually("the server has read its settings") {
            let row = try await admin.query("show synchronous_standby_names")[0]
            return try row.decode(0, as: String.self) == name
        }
    }

    private func count(_ rows: String, _ admin: PostgresConnection) async throws -> Int {
        try await admin.query("select count(*) from \(rows)")[0].decode(0)
    }
}
