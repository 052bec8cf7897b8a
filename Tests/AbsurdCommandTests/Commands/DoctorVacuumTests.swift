import Absurd
import EphemeralPostgres
import Foundation
import LibPQ
import TestSupport
import Testing

@testable import AbsurdCommand

/// What keeps the server from cleaning up, with limits that need no minutes and millions.
@Suite(.timeLimit(.minutes(10)))
struct DoctorVacuumTests {
    private func examine(
        _ server: EphemeralPostgres, _ change: (inout Doctor.Limits) -> Void = { _ in }
    ) async throws -> [Finding] {
        var limits = Doctor.Limits()
        change(&limits)
        return try await Doctor(AbsurdConfiguration(server.connectionString), limits: limits).examine()
            .filter { $0.check == "vacuum" }
    }

    @Test func `old transactions, open and prepared, slots that nobody uses, and dead rows`() async throws {
        var options = EphemeralPostgres.Options()
        options.configuration = [
            "max_prepared_transactions = 2", "wal_level = logical", "max_replication_slots = 2",
            "autovacuum_naptime = 3600", "track_counts = on",
        ]
        try await EphemeralPostgres.withServer(options) { server in
            try await withAbsurd(AbsurdConfiguration(server.connectionString), logger: .quiet) {
                try await $0.migrate()
                try await $0.createQueue("orders")
            }
            let connection = try await connect(server)
            #expect(try await examine(server).map(\.text) == ["autovacuum keeps up"])

            try await connection.execute(
                script: "begin; create table public.t (); prepare transaction 'it''s mine'")
            let open = try await connect(server, name: "forgetful")
            try await open.execute(script: "begin; select 1")
            // Younger than five minutes they are nothing to speak of.
            #expect(try await examine(server).map(\.text) == ["autovacuum keeps up"])
            let old = try await examine(server) { $0.openTransaction = .zero }
            #expect(old.map(\.status) == [.warning, .warning])
            #expect(
                old[0].text.hasPrefix(
                    "a transaction of 'forgetful' (process \(open.backendPID)) is open since 2"))
            #expect(old[0].remedy?.hasSuffix("SELECT pg_terminate_backend(\(open.backendPID))") == true)
            #expect(old[1].text.hasPrefix("a prepared transaction ('it''s mine') is open since 2"))
            #expect(old[1].remedy == "COMMIT PREPARED 'it''s mine' or ROLLBACK PREPARED 'it''s mine'")
            try await open.execute(script: "rollback")
            try await connection.execute(script: "rollback prepared 'it''s mine'")

            try await connection.execute(
                script: "select pg_create_logical_replication_slot('left_over', 'pgoutput')")
            #expect(
                try await examine(server) == [
                    .warning(
                        "vacuum", "the replication slot left_over holds cleaning back, and nobody uses it",
                        remedy: "SELECT pg_drop_replication_slot('left_over'), if it is not needed")
                ])
            try await connection.execute(script: "select pg_drop_replication_slot('left_over')")

            try await connection.execute(
                script: """
                    insert into absurd.e_orders (event_name, emitted_at) select 'e' || i, now() from generate_series(1, 200) i;
                    delete from absurd.e_orders where event_name <> 'e1';
                    """)
            let remedy =
                "VACUUM absurd.e_orders; then look for what holds autovacuum up: old transactions, too few workers"
            try await eventually("the dead rows are counted") {
                try await examine(server) { $0.deadRows = 100 }.contains {
                    $0.text.hasPrefix("the table absurd.e_orders has 199 dead rows beside 1")
                        && $0.remedy == remedy
                }
            }
            #expect(try await examine(server).map(\.text) == ["autovacuum keeps up"])

            let aged = try await examine(server) { $0.transactionAge = 0 }
            #expect(aged.map(\.status) == [.warning])
            #expect(aged[0].text.hasSuffix("transactions old; at two billion the server stops"))
            for connection in [connection, open] { await connection.close() }
        }
    }

    private func connect(
        _ server: EphemeralPostgres, name: String = "test"
    ) async throws -> PostgresConnection {
        var configuration = PostgresConfiguration(connectionString: server.connectionString)
        configuration.applicationName = name
        return try await PostgresConnection.connect(configuration, logger: .quiet)
    }
}

/// Findings that depend on what is between this program and the server, and on the server's part.
@Suite(.timeLimit(.minutes(10)))
struct DoctorConnectionTests {
    @Test func `clocks that differ`() {
        func finding(_ skew: Duration, trip: Duration = .milliseconds(1)) -> Finding {
            Doctor.clockFinding(skew: skew, trip: trip)
        }
        #expect(finding(.milliseconds(20)) == .ok("clock", "the clocks agree"))
        #expect(finding(.seconds(4)).status == .ok)
        #expect(finding(.seconds(6)).status == .warning)
        #expect(finding(.seconds(-6)).text == "the server's clock is 6000.0 ms behind this machine's")
        // A slow answer says less about the clock.
        #expect(finding(.seconds(6), trip: .seconds(2)).status == .ok)
        #expect(finding(.hours(13)).status == .failed)
        #expect(finding(.hours(-13)).status == .failed)
        #expect(finding(.hours(13)).remedy == "set the clocks by NTP; spawning fails from a day on")
    }

    @Test func `a notification that does not arrive`() {
        #expect(Doctor.listenFinding(nil).status == .warning)
        #expect(
            Doctor.listenFinding(.milliseconds(2)) == .ok("listen", "a notification arrives in 2.0 ms"))
    }

    @Test(.database(.migrated)) func `a pooler in transaction mode`() async throws {
        try await withClient { try await $0.createQueue("orders") }
        let pooled = try await TestDatabase.current.throughPooler()
        let findings = try await Doctor(AbsurdConfiguration(pooled)).examine()
        let pooler = findings.filter { $0.check == "pooler" }
        #expect(pooler.map(\.status) == [.warning])
        #expect(pooler.first?.text.hasPrefix("a pooler in transaction mode") == true)
        // The rest is examined through it all the same.
        let failed = findings.filter { $0.status == .failed && $0.check != "durability" }
        #expect(failed.isEmpty, "\(failed.text)")
        #expect(findings.contains { $0.check == "queues" && $0.status == .ok })
    }

    @Test func `a standby`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "absurd-doctor-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await EphemeralPostgres.withServer(EphemeralPostgres.replicated) { server in
            let standby = try await server.startStandby(in: folder.path)
            let findings = try await Doctor(AbsurdConfiguration(standby.connectionString)).examine()
            #expect(
                findings.first
                    == .failed(
                        "connection", "the server is a standby, which takes no writes",
                        remedy:
                            "connect to the primary; with several hosts set target_session_attrs=read-write"))
            #expect(!findings.contains { $0.check == "schema" })
            try await standby.stop()
        }
    }
}
