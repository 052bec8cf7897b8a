import Absurd
import Foundation
import LibPQ

/// The server behind the connection.
extension Doctor {
    func server(_ connection: PostgresConnection) async throws -> [Finding] {
        let check = Self.connectionCheck
        let start = ContinuousClock.now
        _ = try await connection.query("select 1")
        let time = ContinuousClock.now - start
        let rows = try await connection.query(
            """
            select current_setting('server_version') as version, current_database() as database,
              current_user::text as role, pg_is_in_recovery() as is_standby,
              current_setting('transaction_read_only') = 'on' as is_read_only
            """)
        guard let row = rows.first else { return [] }
        let version: String = try row.decode("version")
        if connection.serverVersion < 140_000 {
            return [
                .failed(
                    check, "the server is PostgreSQL \(version)", remedy: "upgrade it to 14 or later")
            ]
        }
        if try row.decode("is_standby") {
            return [
                .failed(
                    check, "the server is a standby, which takes no writes",
                    remedy: "connect to the primary; with several hosts set target_session_attrs=read-write")
            ]
        }
        if try row.decode("is_read_only") {
            return [
                .failed(
                    check, "transactions are read-only here",
                    remedy: "set default_transaction_read_only to off for the role and the database")
            ]
        }
        let database: String = try row.decode("database")
        let role: String = try row.decode("role")
        return [
            .ok(
                check,
                "database '\(database)' as '\(role)' on PostgreSQL \(version), answers in \(time.inMilliseconds)"
            )
        ]
    }

    func clock(_ connection: PostgresConnection) async throws -> [Finding] {
        // Half of the round trip is the best guess for the way of the question.
        let start = ContinuousClock.now
        let ours = Date().timeIntervalSince1970
        let server: Double = try await connection.query(
            "select extract(epoch from clock_timestamp())::float8"
        )
        .value()
        let trip = ContinuousClock.now - start
        let finding = Self.clockFinding(skew: .seconds(server - ours) - trip / 2, trip: trip)
        guard finding.status == .ok else { return [finding] }
        let faked: String = try await connection.query(
            "select coalesce(btrim(current_setting('absurd.fake_now', true)), '')"
        ).value()
        guard faked.isEmpty else {
            return [
                .failed(
                    "clock", "absurd.fake_now is set to '\(faked)': for the schema time stands still",
                    remedy: "reset absurd.fake_now for the role and the database, outside of tests")
            ]
        }
        return [finding]
    }

    /// - Parameter skew: How far the server's clock is ahead, give or take half of `trip`.
    static func clockFinding(skew: Duration, trip: Duration) -> Finding {
        let size = skew < .zero ? .zero - skew : skew
        let direction = skew < .zero ? "behind" : "ahead of"
        let text = "the server's clock is \(size.inMilliseconds) \(direction) this machine's"
        // Ids of tasks contain the time; the server refuses those that are a day off.
        if size > .hours(12) {
            return .failed("clock", text, remedy: "set the clocks by NTP; spawning fails from a day on")
        }
        if size > .seconds(5) + trip {
            return .warning(
                "clock", text,
                remedy: "set the clocks by NTP; due times are the server's, logs are this machine's")
        }
        return .ok("clock", size < .milliseconds(100) + trip ? "the clocks agree" : text)
    }

    func durability(_ connection: PostgresConnection) async throws -> [Finding] {
        let found = try await findings(
            "durability", connection,
            """
            select case when name = 'synchronous_commit' then 'warning' else 'failed' end as status,
              format('%s is off: what was promised can be lost when the server crashes', name) as text,
              format('set %s to on, unless the data may be lost', name) as remedy
            from pg_settings
            where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
            order by name
            """)
        return found.isEmpty ? [.ok("durability", "commits survive a crash of the server")] : found
    }

    func connections(_ connection: PostgresConnection) async throws -> [Finding] {
        // Not from pg_stat_activity, which hides the kind of others' sessions from most roles. PostgreSQL 16 reserves
        // more of them, for a role of its own.
        let rows = try await connection.query(
            """
            select sum(numbackends)::int4 as used,
              current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4
                - coalesce(current_setting('reserved_connections', true)::int4, 0) as most
            from pg_stat_database
            """)
        guard let row = rows.first else { return [] }
        let (used, most): (Int32, Int32) = (try row.decode("used"), try row.decode("most"))
        let text = "\(used) of \(most) connections are in use"
        guard used * 10 >= most * 9 else { return [.ok("connections", text)] }
        return [
            .warning(
                "connections", text,
                remedy: "raise max_connections, lower maxConnections of clients, or put a pooler in between")
        ]
    }
}

extension Duration {
    var inMilliseconds: String {
        let milliseconds = Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
        if milliseconds >= 10_000 { return "\((milliseconds / 100).rounded() / 10) s" }
        return "\((milliseconds * 10).rounded() / 10) ms"
    }
}
