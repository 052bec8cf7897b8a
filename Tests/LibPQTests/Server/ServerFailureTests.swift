import EphemeralPostgres
import Synchronization
import TestSupport
import Testing

@testable import LibPQ

@Suite(.timeLimit(.minutes(10)))
struct ServerFailureTests {
    @Test func `a pool survives the crash and the restart of its server`() async throws {
        try await PrivateServer.with { server in
            var configuration = PostgresConfiguration(connectionString: server.keywords())
            configuration.maxConnections = 4
            configuration.connectTimeout = .seconds(60)
            let pool = PostgresPool(configuration: configuration, logger: .quiet)
            let watcher = try await server.connect()

            let lost = try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        await #expect(throws: PostgresError.self) {
                            try await pool.query("select pg_sleep(60)")
                        }
                    }
                }
                try await eventually {
                    try await watcher.query(
                        "select count(*) = 4 from pg_stat_activity where state = 'active' and query ~ '^select pg_sleep'"
                    ).first?.decode(0) == true
                }
                try await server.process.halt(.immediate)
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(lost.map(\.?.code) == Array(repeating: .connectionLost, count: 4))
            #expect(pool.counts.open == 0)
            #expect(
                await #expect(throws: PostgresError.self) { try await watcher.query("select 1") }?.code
                    == .connectionLost)

            // Callers that come while the server is away wait for it.
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<10 { group.addTask { try await pool.query("select 1").count } }
                try await eventually { pool.state.withLock { $0.failures } > 0 }
                try await server.process.resume()
                for try await count in group { #expect(count == 1) }
            }
            await pool.close()
        }
    }

    @Test func `the notifications of a crashed server's connection end`() async throws {
        try await PrivateServer.with { server in
            let listener = try await server.connect()
            try await listener.listen(to: "c")
            async let received = listener.notifications.first { _ in true }
            try await server.process.halt(.immediate)
            #expect(await received == nil)
        }
    }
}
