import Absurd
import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

/// The connection that listens when the network forgets it, and nobody is told, while all others pass.
@Suite(.timeLimit(.minutes(5)))
struct ForgottenListenerTests {
    @Test func `what another client spawns is started, and later spawns are heard of again`() async throws {
        try await EphemeralPostgres.withServer(EphemeralPostgres.replicated) { server in
            let spawner = try AbsurdClient(AbsurdConfiguration(server.connectionString), logger: .quiet)
            try await spawner.migrate()
            try await spawner.createQueue("default")
            let proxy = try TCPProxy(to: server.port)
            defer { proxy.close() }
            let client = try sleepyClient(proxy)
            let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }
            // So that polling cannot be what finds the work.
            let options = testOptions {
                $0.pollInterval = .hours(1)
                $0.maxBackoff = .hours(1)
            }
            let pool = try WorkerPool(client, handlers: [echo], options: options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                let watch = client.wakeUps.watched("default").watch
                try await eventually("it is armed") { watch.isArmed }
                let id = pool.workers[0].id
                let session = try #require(client.wakeUps.listener.session)
                proxy.forget(clientPort: try await clientPort(of: session, spawner, proxy))

                let unheard = try await spawner.spawn("echo", params: 1)
                #expect(try await unheard.result() == 1)
                try await eventually("it is armed in another session") {
                    watch.isArmed
                        && client.wakeUps.listener.session.map { $0.number != session.number } == true
                }
                #expect(try await spawner.spawn("echo", params: 2).result() == 2)
                // Nor was it taken for dead: its other connections have worked all the time.
                #expect(pool.workers[0].id == id)
                group.cancelAll()
            }
            await client.close()
            await spawner.close()
        }
    }

    private func sleepyClient(_ proxy: TCPProxy) throws -> AbsurdClient {
        var configuration = AbsurdConfiguration("postgresql://postgres@127.0.0.1:\(proxy.port)/postgres")
        configuration.fallbackInterval = .seconds(1)
        return try AbsurdClient(configuration, logger: .quiet)
    }

    /// From where the server sees the session come, which is the proxy.
    private func clientPort(
        of session: Listener.Session, _ client: AbsurdClient, _ proxy: TCPProxy
    ) async throws -> Int {
        let rows = try await client.pool.query(
            "select client_port from pg_stat_activity where pid = $1",
            [.int(Int64(session.connection.backendPID))])
        let port = Int(try rows[0].decode(0, as: Int32.self))
        #expect(proxy.carries(port))
        return port
    }
}
