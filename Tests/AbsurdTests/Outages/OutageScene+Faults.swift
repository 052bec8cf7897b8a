import Absurd
import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

extension OutageScene {
    /// Brings the outage about, keeps it for a while, and returns when the server accepts work again.
    func suffer(_ outage: Outage, for duration: Duration) async throws {
        switch outage {
        case .restart:
            try await server.restart(.immediate)
        case .stopped:
            try await server.halt()
            try await Task.sleep(for: duration)
            try await server.resume()
        case .terminated:
            for _ in 1...4 {
                _ = try await rows(terminateAll)
                // Work goes on in between, and some of it has to be left at the end.
                try await Task.sleep(for: duration / 8)
            }
        case .failover:
            // The primary's address refuses connections from now on, as that of a process which is gone.
            proxies[0].close()
            try await failOver()
        case .silentFailover:
            proxies[0].become(.silent)
            try await Task.sleep(for: duration)
            try await failOver()
        case .cut: try await turn(.cut, for: duration)
        case .silent: try await turn(.silent, for: duration)
        case .slow: try await turn(.slow(milliseconds: 100), for: duration)
        case .full: try await takeAllConnections(for: duration)
        case .diskFull: try await fillDisk(for: duration)
        case .readOnly:
            try await setReadOnly(true)
            try await Task.sleep(for: duration)
            try await setReadOnly(false)
        }
        try await untilAccepting()
    }

    private var terminateAll: String {
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'swift-absurd'"
    }

    private func turn(_ line: TCPProxy.Line, for duration: Duration) async throws {
        for proxy in proxies { proxy.become(line) }
        try await Task.sleep(for: duration)
        for proxy in proxies { proxy.become(.open) }
    }

    /// What the primary has confirmed the standby has, so nothing that was recorded is lost.
    private func failOver() async throws {
        try await server.halt(.immediate)
        _ = try await rows("select pg_promote()")
    }

    func replicateSynchronously() async throws {
        for sql in ["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"] {
            _ = try await rows(sql, of: server)
        }
        try await eventually("the standby confirms commits") {
            try await count("pg_stat_replication where sync_state = 'sync'", of: server) == 1
        }
    }

    private func setReadOnly(_ isReadOnly: Bool) async throws {
        _ = try await rows("alter system set default_transaction_read_only = \(isReadOnly)")
        _ = try await rows("select pg_reload_conf()")
    }

    /// Holds every connection that the server has, so that the workers' own cannot be replaced.
    private func takeAllConnections(for duration: Duration) async throws {
        let configuration = PostgresConfiguration(
            connectionString: server.connectionString(over: .unixSocket))
        let admin = try await PostgresConnection.connect(configuration, logger: .quiet)
        var taken: [PostgresConnection] = []
        let end = ContinuousClock.now + duration
        while .now < end {
            _ = try await admin.query(terminateAll)
            while let one = try? await PostgresConnection.connect(configuration, logger: .quiet) {
                taken.append(one)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        for connection in taken { await connection.close() }
        await admin.close()
    }

    /// Leaves no room for data or log, as much as that takes: the server may stop over it.
    private func fillDisk(for duration: Duration) async throws {
        try disk?.fill()
        let end = ContinuousClock.now + duration
        while .now < end {
            // Uses up the log files that were there before; in the end it crashes the server.
            _ = try? await rows("select pg_switch_wal() from generate_series(1, 2), pg_sleep(0.1)")
            _ = try? await rows(
                "create table if not exists ballast as select repeat('x', 1000) from generate_series(1, 20000)"
            )
            try await Task.sleep(for: .milliseconds(50))
        }
        try disk?.free()
        // Gone, or about to restart by itself.
        if (try? await rows("select 1")) == nil {
            try await server.halt(.immediate)
            try await server.resume()
        }
    }
}
