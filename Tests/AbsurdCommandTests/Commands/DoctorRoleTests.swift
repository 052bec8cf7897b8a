import Absurd
import LibPQ
import TestSupport
import Testing

@testable import AbsurdCommand

/// What `absurd doctor` says to roles that may do only their part.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct DoctorRoleTests {
    private static let purposes = [
        "absurd_producer": "enough for a producer",
        "absurd_worker": "enough for a producer and a worker",
        "absurd_supervisor": "enough for a supervisor",
        "absurd_operator": "enough for a producer, a supervisor, an operator and a viewer",
        "absurd_viewer": "enough for a viewer",
    ]

    private func execute(_ script: String) async throws {
        try await TestDatabase.current.connect().execute(script: script)
    }

    private func examine(as role: String) async throws -> [Finding] {
        let url = withOptions(TestDatabase.current.connectionString, "-c role=\(role)")
        return try await Doctor(AbsurdConfiguration(url)).examine()
    }

    /// With a queue that is watched by nobody, so that there is something to say about it.
    private func prepare() async throws {
        try await withClient { client in
            try await client.createQueue("orders")
            try await client.migrate()
            try await client.spawn("due", params: nil, on: "orders")
        }
        try await execute(AbsurdSchema.roles)
        try await execute("update absurd.r_orders set available_at = now() - interval '3 hours'")
    }

    @Test(arguments: purposes.keys.sorted())
    func `each role has enough for what it is for, and is not told to open the fence`(_ role: String)
        async throws
    {
        try await prepare()
        let findings = try await examine(as: role)
        #expect(
            findings.filter { $0.check == "privileges" } == [
                .ok("privileges", Self.purposes[role] ?? "")
            ])
        #expect(!findings.contains { $0.remedy?.contains("ON ALL") == true })
        let queues = findings.filter { $0.check == "queues" }
        if ["absurd_operator", "absurd_viewer"].contains(role) {
            #expect(queues.map(\.text) == ["queue 'orders' has work that has been due for 3 hours"])
        } else {
            #expect(
                queues == [
                    .ok("queues", "not looked into: this role may not read it all; absurd_viewer may")
                ])
        }
        let failed = findings.filter { $0.status == .failed && $0.check != "durability" }
        #expect(failed.isEmpty, "\(failed.text)")
    }

    @Test func `a role without any of them is told which to ask for, and a member of one has enough`()
        async throws
    {
        try await prepare()
        let role = "doctor_\(UInt32.random(in: 0 ... .max))"
        try await execute("create role \(role)")
        do {
            #expect(
                try await examine(as: role).filter { $0.check == "privileges" } == [
                    .failed(
                        "privileges",
                        "the role \(role) is in none of the roles that may call the functions: absurd_producer, "
                            + "absurd_worker, absurd_supervisor, absurd_operator, absurd_viewer",
                        remedy: "GRANT absurd_worker TO \(role), or another of them")
                ])
            try await execute("grant absurd_worker to \(role)")
            #expect(
                try await examine(as: role).filter { $0.check == "privileges" } == [
                    .ok("privileges", "enough for a producer and a worker")
                ])
            try await execute("drop role \(role)")
        } catch {
            try? await execute("drop role \(role)")
            throw error
        }
        let owners = try await Doctor(AbsurdConfiguration(TestDatabase.current.connectionString)).examine()
        #expect(
            owners.filter { $0.check == "privileges" }.map(\.text) == [
                "enough for a producer, a worker, a supervisor, an operator and a viewer"
            ])
    }

    @Test func `sessions of others are counted, and said to be hidden where they are`() async throws {
        try await prepare()
        var others: [PostgresConnection] = []
        for _ in 0..<5 { others.append(try await TestDatabase.current.connect()) }
        let findings = try await examine(as: "absurd_worker")
        let vacuum = try #require(findings.first { $0.check == "vacuum" && $0.status == .warning })
        #expect(vacuum.text.hasPrefix("other sessions are not visible"))
        #expect(vacuum.remedy == "GRANT pg_read_all_stats TO absurd_worker")
        let text = findings.first { $0.check == "connections" }?.text ?? ""
        let used = try #require(text.split(separator: " ").first.flatMap { Int($0) })
        #expect(used >= 6, "\(text)")
        for connection in others { await connection.close() }
    }
}
