import Absurd
import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

/// What waiting for results costs, by the server's own count of statements.
@Suite(.timeLimit(.minutes(5)))
struct QuietWaitingTests {
    private static let callers = 1000

    @Test func `a thousand callers wait with a handful of statements, and with none while nothing happens`()
        async throws
    {
        var options = EphemeralPostgres.Options()
        options.configuration = [
            "shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track = 'top'",
        ]
        try await EphemeralPostgres.withServer(options) { server in
            var configuration = AbsurdConfiguration(server.connectionString)
            configuration.statementTimeout = .seconds(300)
            configuration.fallbackInterval = .hours(1)
            let client = try AbsurdClient(configuration, logger: .quiet)
            try await client.migrate()
            try await client.createQueue("default")
            let admin = try await PostgresConnection.connect(
                PostgresConfiguration(connectionString: server.connectionString), logger: .quiet)
            try await admin.execute(script: "create extension pg_stat_statements")
            let tasks = try await client.spawnMany(
                (0..<Self.callers).map { try SpawnRequest("held", params: .integer(Int64($0))) })
            // The first look waits, so that all others are there when the second one is made.
            try await admin.execute(script: "begin; lock table absurd_swift.result_listeners")
            try await withThrowingTaskGroup(of: Void.self) { group in
                let before = try await statements(admin)
                for (number, task) in tasks.enumerated() {
                    group.addTask {
                        let result = try await task.result()
                        #expect(result == .integer(Int64(number)))
                    }
                }
                try await eventually("all wait") { client.wakeUps.results.openCount == Self.callers }
                try await admin.execute(script: "commit")
                try await eventually("all are registered", within: .seconds(60)) {
                    try await count("absurd_swift.result_listeners", admin) == Self.callers
                }
                try await eventually("the loop rests") {
                    try await count(
                        "pg_stat_activity where state = 'active' and query like '%task_results%' and pid <> pg_backend_pid()",
                        admin) == 0
                }
                let registered = try await statements(admin)
                #expect(registered - before < 40)

                try await Task.sleep(for: .seconds(3))
                #expect(try await statements(admin) == registered)

                try await finishAll(admin)
                try await group.waitForAll()
                #expect(try await statements(admin) - registered < Self.callers / 10)
            }
            await client.close()
            await admin.close()
        }
    }

    /// How many statements were executed for clients, those of this test left out.
    private func statements(_ admin: PostgresConnection) async throws -> Int {
        let rows = try await admin.query(
            """
            select coalesce(sum(calls), 0)::bigint as calls from pg_stat_statements
             where not query like any (array['%pg_stat%', '%result_listeners%', 'begin%', 'commit%', '%of_the_test%'])
            """)
        return try rows[0].decode("calls")
    }

    /// Claims and completes every task with its own parameters, in two statements.
    private func finishAll(_ admin: PostgresConnection) async throws {
        try await admin.query(
            """
            create table of_the_test as
              select c.run_id, c.token, t.params from absurd_swift.claim('default', 'w', 300, \(Self.callers)) c
              join absurd.t_default t using (task_id)
            """)
        let rows = try await admin.query(
            """
            select count(*) from absurd_swift.finish(
              'default', 'w', (select array_agg(run_id order by run_id) from of_the_test),
              (select array_agg(token order by run_id) from of_the_test),
              array_fill('complete'::text, array[\(Self.callers)]),
              (select array_agg(params::text order by run_id) from of_the_test),
              array_fill(null::text, array[\(Self.callers)]), array_fill(null::timestamptz, array[\(Self.callers)]),
              array_fill(null::double precision, array[\(Self.callers)]), true)
             where answer = 'done'
            """)
        #expect(try rows[0].decode(0, as: Int.self) == Self.callers)
    }

    private func count(_ rows: String, _ admin: PostgresConnection) async throws -> Int {
        try await admin.query("select count(*) from \(rows)")[0].decode(0)
    }
}
