import Absurd
import EphemeralPostgres
import Foundation
import LibPQ
import TestSupport
import Testing

@testable import AbsurdCommand

/// The findings of `absurd doctor` that can be brought about.
///
/// The server of the tests does not fsync, which is one of them.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct DoctorTests {
    private func execute(_ statements: String...) async throws {
        let connection = try await TestDatabase.current.connect()
        for statement in statements { try await connection.execute(script: statement) }
    }

    private func examine(
        _ change: (inout AbsurdConfiguration) -> Void = { _ in }
    ) async throws -> [Finding] {
        var configuration = AbsurdConfiguration(TestDatabase.current.connectionString)
        change(&configuration)
        return try await Doctor(configuration).examine()
    }

    private func problems(_ check: String, in findings: [Finding]) -> [Finding] {
        findings.filter { $0.check == check && $0.status != .ok }
    }

    @Test func `a healthy database has nothing to be done but what the server of the tests is for`()
        async throws
    {
        try await withClient { try await $0.createQueue("orders") }
        let findings = try await examine()
        let checks = Set(findings.map(\.check))
        #expect(
            checks == [
                "connection", "schema", "privileges", "pooler", "listen", "clock", "vacuum", "durability",
                "connections", "queues",
            ])
        let others = findings.filter {
            $0.status != .ok && !["durability", "connections"].contains($0.check)
        }
        #expect(others.isEmpty, "\(others.text)")
        #expect(
            problems("durability", in: findings).map(\.text) == [
                "fsync is off: what was promised can be lost when the server crashes",
                "full_page_writes is off: what was promised can be lost when the server crashes",
            ])
    }

    @Test func `the command prints the findings, as text and as JSON, and fails when one does`() async throws
    {
        try await withClient { try await $0.createQueue("orders") }
        let text = try await absurd("doctor")
        #expect(text.status == 4, "\(text.output) \(text.errors)")
        #expect(text.lines[0].hasPrefix("ok       connection   database '"))
        #expect(text.lines.contains { $0.hasPrefix("failed   durability   fsync is off") })
        #expect(text.lines.contains { $0.contains("to do: set fsync to on, unless the data may be lost") })
        #expect(
            text.lines.contains("ok       queues       queue 'orders': nothing is late, 0 registered workers")
        )
        let json = try await absurd("doctor", "--json").json
        #expect(json["status"]?.stringValue == "failed")
        let keys = json["checks"]?.array.map(\.keys) ?? []
        #expect(!keys.isEmpty && keys.allSatisfy { $0 == ["check", "status", "finding", "remedy"] })
    }

    @Test func `no server is a finding, with the exit status of one that is out of reach`() async throws {
        let run = try await Command.run(["doctor", "--database", "host=/nowhere dbname=x"])
        #expect(run.status == 3)
        #expect(run.lines.count == 2)
        #expect(run.lines[0].hasPrefix("failed   connection  no connection to the database"))
        #expect(run.lines[1].contains("to do: start it"))
    }

    @Test func `a connection string that is none is refused like any other value`() async throws {
        let run = try await Command.run(["doctor", "--database", "nonsense"])
        #expect(run.status == 2)
        #expect(run.errors.hasPrefix("error: the connection string cannot be read: "), "\(run.errors)")
    }

    @Test func `a missing schema, and functions that are missing, are for migrate`() async throws {
        try await execute("drop function absurd_swift.cancel(text, uuid[])")
        let lacking = try await examine()
        #expect(
            problems("schema", in: lacking) == [
                .failed(
                    "schema", "the schema 'absurd_swift' lacks 1 functions: cancel", remedy: "absurd migrate")
            ])
        // What stands on the schema is not looked at.
        #expect(!lacking.contains { $0.check == "queues" })
        #expect(lacking.contains { $0.check == "vacuum" })
        try await execute("drop schema absurd_swift cascade")
        #expect(
            problems("schema", in: try await examine()) == [
                .failed("schema", "the database has no schema 'absurd_swift'", remedy: "absurd migrate")
            ])
    }

    @Test func `versions that are older or newer than the program`() async throws {
        func version(_ version: String) -> String {
            """
            create or replace function absurd_swift.get_schema_version() returns text language sql as
            'select ''\(version)''::text'
            """
        }
        try await execute(version("0.0.1"))
        let old = problems("schema", in: try await examine())
        #expect(old.map(\.status) == [.failed])
        #expect(old.map(\.remedy) == ["absurd migrate"])
        try await execute(version("99.1.0"))
        let new = problems("schema", in: try await examine())
        #expect(new.map(\.status) == [.warning])
        #expect(new.map(\.remedy) == ["upgrade this program, and workers of its age"])
    }

    @Test func `each missing privilege is named with its grant`() async throws {
        try await withClient { try await $0.createQueue("orders") }
        let role = "doctor_\(UInt32.random(in: 0 ... .max))"
        let url = TestDatabase.current.connectionString
        func examineAsRole() async throws -> [Finding] {
            try await examine { $0.connectionString = withOptions(url, "-c role=\(role)") }
        }
        try await execute("create role \(role)")
        do {
            #expect(
                problems("privileges", in: try await examineAsRole()).map(\.remedy) == [
                    "GRANT USAGE ON SCHEMA absurd TO \(role)",
                    "GRANT USAGE ON SCHEMA absurd_swift TO \(role)",
                    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA absurd TO \(role)",
                    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA absurd_swift TO \(role)",
                ])
            try await execute(
                "grant usage on schema absurd, absurd_swift to \(role)",
                "grant select, insert, update, delete on all tables in schema absurd, absurd_swift to \(role)",
                "revoke execute on all functions in schema absurd from public")
            #expect(
                problems("privileges", in: try await examineAsRole()).map(\.remedy) == [
                    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA absurd TO \(role)"
                ])
            try await execute("grant execute on all functions in schema absurd to \(role)")
            let found = try await examineAsRole()
            #expect(problems("privileges", in: found).isEmpty)
            #expect(
                problems("queues", in: found).map(\.text) == [
                    "queue 'orders' lacks its trigger, which the role \(role) may not make: idle workers have to poll"
                ])
            try await execute("drop owned by \(role)", "drop role \(role)")
        } catch {
            try? await execute("drop owned by \(role)", "drop role \(role)")
            throw error
        }
    }

    @Test func `a session that takes no writes`() async throws {
        let url = TestDatabase.current.connectionString
        let findings = try await examine {
            $0.connectionString = withOptions(url, "-c default_transaction_read_only=on")
        }
        #expect(problems("connection", in: findings).map(\.text) == ["transactions are read-only here"])
    }

    @Test func `a clock that stands still`() async throws {
        let url = TestDatabase.current.connectionString
        let findings = try await examine {
            $0.connectionString = withOptions(url, "-c absurd.fake_now=2030-01-01")
        }
        #expect(
            problems("clock", in: findings).map(\.text) == [
                "absurd.fake_now is set to '2030-01-01': for the schema time stands still"
            ])
    }

    @Test func `commits that are not waited for`() async throws {
        let url = TestDatabase.current.connectionString
        let findings = try await examine {
            $0.connectionString = withOptions(url, "-c synchronous_commit=off")
        }
        #expect(
            problems("durability", in: findings).map(\.status) == [.failed, .failed, .warning])
    }

    @Test func `a pooler in transaction mode is told from one in session mode and from none`() {
        #expect(Doctor.poolerFindings(announced: 7, actual: 7, isMoved: false).status == .ok)
        #expect(
            Doctor.poolerFindings(announced: 7, actual: 9, isMoved: false) == [
                .ok("pooler", "a pooler in session mode")
            ])
        #expect(Doctor.poolerFindings(announced: 7, actual: 9, isMoved: true).status == .warning)
    }

    @Test func `what queues lack`() async throws {
        try await withClient { try await $0.createQueue("orders") }
        try await execute(
            "drop index absurd.r_orders_rdy", "drop function absurd_swift.\"claim:orders\"")
        let found = problems("queues", in: try await examine()).map(\.text)
        #expect(found.contains("queue 'orders' lacks an index: claims read its whole backlog"))
        #expect(found.contains { $0.hasPrefix("queue 'orders' lacks functions of its own") })
        try await succeeding("migrate")
        #expect(problems("queues", in: try await examine()).isEmpty)
        // What a dropped queue leaves behind is nobody's problem.
        try await withClient {
            try await $0.createQueue("dropped")
            try await $0.dropQueue("dropped")
        }
        #expect(problems("queues", in: try await examine()).isEmpty)
        try await execute("drop table absurd.w_orders")
        #expect(
            problems("queues", in: try await examine()).map(\.text) == ["queue 'orders' lacks tables"])
    }

    @Test func `a database without queues`() async throws {
        #expect(problems("queues", in: try await examine()).map(\.remedy) == ["absurd queue create NAME"])
    }

    @Test func `work that nobody does, claims that nobody takes over, ended tasks that nobody deletes`()
        async throws
    {
        try await succeeding("queue", "create", "orders")
        try await succeeding("migrate")
        try await succeeding("spawn", "due", "-q", "orders")
        try await succeeding("spawn", "claimed", "-q", "orders")
        try await succeeding("spawn", "ended", "-q", "orders")
        #expect(problems("queues", in: try await examine()).isEmpty)
        try await execute(
            """
            update absurd.r_orders r set available_at = now() - interval '3 hours' from absurd.t_orders t
            where t.task_id = r.task_id and t.task_name = 'due'
            """,
            """
            update absurd.r_orders r
            set state = 'running', claimed_by = 'w', started_at = now(),
              claim_expires_at = now() - interval '10 minutes'
            from absurd.t_orders t where t.task_id = r.task_id and t.task_name = 'claimed'
            """,
            """
            update absurd.r_orders r set state = 'completed', completed_at = now() - interval '40 days'
            from absurd.t_orders t where t.task_id = r.task_id and t.task_name = 'ended'
            """)
        #expect(
            problems("queues", in: try await examine()).map(\.text) == [
                "queue 'orders' has work that has been due for 3 hours",
                "queue 'orders' has a claim that expired 10 minutes ago, and nobody has taken it over",
                "queue 'orders' keeps tasks that ended 40 days ago, 10 days longer than its policy says",
            ])
    }

    @Test(arguments: [
        """
        update absurd.r_orders set state = 'failed', failed_at = now() - interval '40 days';
        update absurd.t_orders set state = 'failed'
        """, "update absurd.t_orders set state = 'cancelled', cancelled_at = now() - interval '40 days'",
    ])
    func `tasks that failed or were cancelled are missed by the cleanup too`(_ end: String) async throws {
        try await succeeding("queue", "create", "orders")
        try await succeeding("spawn", "ended", "-q", "orders")
        try await execute(end)
        #expect(
            problems("queues", in: try await examine()).map(\.text).contains(
                "queue 'orders' keeps tasks that ended 40 days ago, 10 days longer than its policy says"))
    }

    @Test func `an attempt that failed long ago is no ended task while its task goes on`() async throws {
        try await succeeding("queue", "create", "orders")
        try await succeeding("spawn", "going on", "-q", "orders")
        try await execute(
            "update absurd.r_orders set state = 'failed', failed_at = now() - interval '40 days'")
        #expect(problems("queues", in: try await examine()).isEmpty)
    }

    @Test func `what is to be typed into a shell is one word, whatever the queue's name`() async throws {
        let name = "x; rm 'y'"
        try await withClient { client in
            try await client.createQueue(name)
            try await client.migrate()
            try await client.spawn("due", params: nil, on: name)
        }
        try await execute(#"update absurd."r_x; rm 'y'" set available_at = now() - interval '3 hours'"#)
        #expect(
            problems("queues", in: try await examine()).map(\.remedy) == [
                #"start workers for it, or more of them: absurd tasks --queue='x; rm '\''y'\''' -s pending"#
            ])
        try await execute(
            #"update absurd."r_x; rm 'y'" set state = 'completed', completed_at = now() - interval '40 days'"#
        )
        #expect(
            problems("queues", in: try await examine()).map(\.remedy) == [
                #"absurd cleanup 'x; rm '\''y'\''', and have cron call it"#
            ])
        try await execute(
            #"update absurd."r_x; rm 'y'" set state = 'running', claim_expires_at = now() - interval '1 hour'"#
        )
        #expect(
            problems("queues", in: try await examine()).map(\.remedy) == [
                #"start workers for it: absurd tasks --queue='x; rm '\''y'\''' -s running"#
            ])
        try await execute(#"drop table absurd."w_x; rm 'y'""#)
        #expect(
            problems("queues", in: try await examine()).first?.remedy
                == #"absurd queue create 'x; rm '\''y'\'''"#)
    }

    @Test func `a table that is not vacuumed`() async throws {
        try await withClient { try await $0.createQueue("orders") }
        try await execute("alter table absurd.r_orders set (autovacuum_enabled = false)")
        #expect(
            problems("vacuum", in: try await examine()) == [
                .warning(
                    "vacuum", "autovacuum is off for the table absurd.r_orders",
                    remedy: "ALTER TABLE absurd.r_orders RESET (autovacuum_enabled)")
            ])
    }
}

/// The connection string with settings for the session.
func withOptions(_ url: String, _ options: String) -> String {
    url.contains("://")
        ? url + (url.contains("?") ? "&" : "?") + "options="
            + (options.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        : url + " options='\(options)'"
}

/// Findings about the server as a whole, on one of their own.
@Suite(.timeLimit(.minutes(10)))
struct DoctorServerTests {
    private func examine(_ settings: [String], _ prepare: (AbsurdClient) async throws -> Void = { _ in })
        async throws -> [Finding]
    {
        var options = EphemeralPostgres.Options()
        options.configuration = settings
        return try await EphemeralPostgres.withServer(options) { server in
            let configuration = AbsurdConfiguration(server.connectionString)
            try await withAbsurd(configuration, logger: .quiet) { client in
                try await client.migrate()
                try await prepare(client)
            }
            return try await Doctor(configuration).examine()
        }
    }

    @Test func `autovacuum and statistics that are off`() async throws {
        let findings = try await examine(["autovacuum = off", "track_counts = off"])
        #expect(
            findings.filter { $0.check == "vacuum" }.map(\.text) == [
                "autovacuum is off: dead rows pile up and claims become slow",
                "track_counts is off: dead rows pile up and claims become slow",
            ])
    }

    @Test func `connections that run out`() async throws {
        let few = try await examine([
            "max_connections = 4", "superuser_reserved_connections = 3", "max_wal_senders = 0",
        ])
        #expect(few.filter { $0.check == "connections" }.map(\.status) == [.warning])
    }
}
