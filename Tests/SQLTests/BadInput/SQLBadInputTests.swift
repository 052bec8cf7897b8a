import Foundation
import LibPQ
import TestSupport
import Testing

/// Every function that somebody calls, with random arguments of its types: it answers, or raises one of its errors, and
/// afterwards every task can still be ended.
///
/// A failure names the seed: `ABSURD_BAD_INPUT_SEED=42 swift test --filter SQLBadInputTests` makes the same calls again.
@Suite(.timeLimit(.minutes(10)))
struct SQLBadInputTests {
    /// Classes and codes that say that the function is at fault, not its arguments: internal errors, SQL that came out of
    /// data, names and types that do not exist, a lost server.
    private static let faults = [
        "XX", "42601", "42703", "42883", "42804", "42P02", "2F", "39", "57P", "58", "08", "53",
    ]

    @Test(arguments: QueueVariant.unpartitioned, [BadInputSeed.value])
    func `functions answer any arguments, or refuse them as arguments, and all tasks can be ended`(
        _ variant: QueueVariant, _ seed: UInt64
    ) async throws {
        try await variant.withQueue { queue in
            let connection = queue.connection
            try await connection.execute(
                script:
                    "create table public.canary (); select absurd.create_queue('p', 'partitioned'); set statement_timeout = '60s'"
            )
            var arguments = SQLArguments(claims: [], random: SeededGenerator(seed: seed))
            for function in try await functions(connection) {
                for _ in 0..<25 {
                    arguments.claims = try await claims(of: queue)
                    try await call(function, try arguments.draw(function.parameters), connection, seed)
                }
            }
            let canary = try await connection.query("select to_regclass('public.canary') is not null")
            #expect(try canary[0].decode(0, as: Bool.self))
            for name in ["q", "p"] {
                try await expectEnds(of: ExtensionQueue(connection: connection, name: name), seed)
            }
        }
    }

    /// Some runs that the worker holds, whatever the last call did to them.
    private func claims(of queue: ExtensionQueue) async throws -> [SQLArguments.Claim] {
        let worker = SQLArguments.worker
        func held() async throws -> [SQLArguments.Claim] {
            try await queue.connection.query(
                """
                select run_id::text as run, task_id::text as task, started_at::text as token from absurd.r_q
                where state = 'running' and claimed_by = $1 order by started_at desc limit 4
                """, [.text(worker)]
            ).map { row in
                SQLArguments.Claim(
                    run: try row.decode("run"), task: try row.decode("task"), token: try row.decode("token"))
            }
        }
        let claims = try await held()
        if claims.count >= 2 { return claims }
        // It may have been taken out of the registry.
        _ = try await queue.connection.query(
            "delete from absurd_swift.workers where worker_id = $1", [.text(worker)])
        try await queue.register(worker)
        try await queue.spawn(["t", "t", "t"])
        _ = try await queue.claim(limit: 1000, worker: worker, timeout: 3600)
        return try await held()
    }

    /// Each run that somebody holds completes under its claim, each other task is cancelled, and nothing is left.
    private func expectEnds(of queue: ExtensionQueue, _ seed: UInt64) async throws {
        let label = "queue \(queue.name), \(BadInputSeed.variable)=\(seed)"
        let spawned = try await queue.spawn(["well", "well"])
        _ = try await queue.claim(limit: 1, worker: "end")
        let finished = try await queue.connection.query(
            """
            select r.claimed_by, f.answer, f.sqlstate
            from absurd.r_\(queue.name) r join absurd.t_\(queue.name) t using (task_id)
            cross join lateral absurd_swift.finish(
              '\(queue.name)', r.claimed_by, array[r.run_id], array[r.started_at], array['complete'], array['1'],
              array[null], array[null]::timestamptz[], array[null]::float8[]) f
            where r.state = 'running' and t.state = 'running'
            """)
        for row in finished {
            let answer: String = try row.decode("answer")
            #expect(answer == "done", "\(label)")
        }
        #expect(!finished.isEmpty, "\(label)")
        let open = try await queue.connection.query(
            "select task_id from absurd.t_\(queue.name) where state in ('pending', 'running', 'sleeping')"
        ).map { try $0.decode(0, as: UUID.self) }
        let ended = try await queue.cancel(open)
        #expect(ended.allSatisfy { $0.value == "cancelled" }, "\(label): \(ended)")
        #expect(spawned.count == 2 && ended.count == open.count, "\(label)")
        for table in ["t", "r"] {
            #expect(
                try await queue.count(table, where: "x.state in ('pending', 'running', 'sleeping')") == 0,
                "\(label)")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a text beyond what jsonb holds is refused, alone`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            // Made by the server, so that 270 MB need not be sent.
            let rows = try await queue.connection.query(
                """
                select answer || coalesce(' ' || sqlstate, '')
                from absurd_swift.emit('q', array['large', 'small'], array['"' || repeat('0123456789', 27000000) || '"', '1'])
                order by position
                """)
            #expect(try rows.map { try $0.decode(0, as: String.self) } == ["refused 54000", "emitted"])
        }
    }

    private struct Function {
        var name: String
        var parameters: [SQLArguments.Parameter]
    }

    /// What the script of roles gives to anybody, and what other SDKs call; others are reached through these.
    private func functions(_ connection: PostgresConnection) async throws -> [Function] {
        let script = try SQLFiles.all(in: "roles").joined()
        let named = script.matches(of: /\('(absurd|absurd_swift)', '([a-z_0-9]+)', '[a-z ]+'\)/).map {
            "\($0.1).\($0.2)"
        }
        #expect(named.count > 35)
        let others = [
            "spawn_task", "claim_task", "complete_run", "schedule_run", "fail_run", "cancel_task",
            "extend_claim",
            "set_task_checkpoint_state", "get_task_checkpoint_states", "await_event", "emit_event",
            "list_detach_candidates", "drop_detached_partition",
        ].map { "absurd.\($0)" }
        let rows = try await connection.query(
            """
            select p.pronamespace::regnamespace || '.' || quote_ident(p.proname) as name,
              array_to_string(p.proargnames[1:p.pronargs], ';') as names,
              array_to_string(array(select format_type(t, null) from unnest(p.proargtypes) t), ';') as types
            from pg_proc p
            where p.pronamespace in ('absurd_swift'::regnamespace, 'absurd'::regnamespace)
              and p.pronamespace::regnamespace || '.' || p.proname = any ($1)
            order by 1, 2
            """, [.textArray(named + others + ["absurd_swift.missing_functions"])])
        return try rows.map { row in
            let names = try row.decode("names", as: String?.self)?.split(separator: ";") ?? []
            let types = try row.decode("types", as: String.self).split(separator: ";")
            return Function(
                name: try row.decode("name"),
                parameters: zip(names, types).map { .init(name: String($0), type: String($1)) })
        }
    }

    private func call(
        _ function: Function, _ arguments: [String?], _ connection: PostgresConnection, _ seed: UInt64
    ) async throws {
        let list = function.parameters.enumerated().map { "$\($0 + 1)::text::\($1.type)" }
            .joined(separator: ", ")
        do {
            _ = try await connection.query(
                "select * from \(function.name)(\(list))", arguments.map { $0.map { .text($0) } ?? .null })
        } catch let error as PostgresError {
            let state = error.sqlState ?? "no SQLSTATE"
            #expect(
                error.sqlState != nil && !Self.faults.contains { state.hasPrefix($0) },
                """
                \(BadInputSeed.variable)=\(seed): \(function.name)\
                (\(arguments.map { $0.map { String($0.prefix(60)) } ?? "NULL" })): \(state) \(error.message)
                """)
        }
        if function.name.hasSuffix("drop_queue") {
            try await connection.execute(
                script:
                    "select absurd.create_queue('q', 'unpartitioned'); select absurd.create_queue('p', 'partitioned')"
            )
        }
    }
}

/// The seed of random input: that of the environment, or a new one.
enum BadInputSeed {
    static let variable = "ABSURD_BAD_INPUT_SEED"

    static let value =
        ProcessInfo.processInfo.environment[variable].flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
}
