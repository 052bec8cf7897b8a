import LibPQ
import TestSupport
import Testing

/// A server of the test's own whose commits can be made to wait for a standby that does not exist.
struct StalledCommits: Sendable {
    /// Past the stall: its own statements do not wait.
    let admin: PostgresConnection

    init(_ connectionString: String) async throws {
        admin = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: connectionString), logger: .quiet)
        try await admin.execute(script: "set synchronous_commit = local")
    }

    func stall() async throws { try await setStandby("nobody") }
    func goOn() async throws { try await setStandby("") }

    /// Waits until the commit of such a statement hangs.
    func untilHanging(_ statement: String) async throws {
        try await eventually("a commit of \(statement) waits") {
            try await count("pg_stat_activity where \(Self.hanging(statement))") > 0
        }
    }

    /// Returns when they have ended, so that none gets its answer out once commits go on.
    func terminate(hanging statement: String) async throws {
        _ = try await admin.query(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where \(Self.hanging(statement))")
    }

    func count(_ rows: String) async throws -> Int {
        try await admin.query("select count(*) from \(rows)")[0].decode(0)
    }

    private static func hanging(_ statement: String) -> String {
        "wait_event = 'SyncRep' and query like '%\(statement)%' and pid <> pg_backend_pid()"
    }

    private func setStandby(_ name: String) async throws {
        _ = try await admin.query("alter system set synchronous_standby_names = '\(name)'")
        _ = try await admin.query("select pg_reload_conf()")
        // Told to everybody by the checkpointer, a moment later than it can be read.
        try await eventually("the server has read its settings") {
            let row = try await admin.query("show synchronous_standby_names")[0]
            return try row.decode(0, as: String.self) == name
        }
    }
}
