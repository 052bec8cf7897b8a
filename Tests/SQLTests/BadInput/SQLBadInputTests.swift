import Foundation
import LibPQ
import TestSupport
import Testing

/// Every function that somebody calls, with random arguments of its types: it answers, or raises one of its errors.
@Suite(.timeLimit(.minutes(10)))
struct SQLBadInputTests {
    /// Classes and codes that say that the function is at fault, not its arguments: internal errors, SQL that came out of
    /// data, names and types that do not exist, a lost server.
    private static let faults = [
        "XX", "42601", "42703", "42883", "42804", "42P02", "2F", "39", "57P", "58", "08", "53",
    ]

    private static let names: [String?] = [
        nil, "q", "q", "q", "p", "p", "", " ", "none", "'; drop table canary; --",
        "\"; drop table canary; --", "$1", "%I", "a:b",
        String(repeating: "n", count: 57), String(repeating: "n", count: 58),
        String(repeating: "x", count: 10_000), "😀", "\u{1}",
        "infinity", "-1", "{}", "null",
    ]

    private static let arrays = [nil, "{}", "{}", "{NULL}"]
    private static let values: [String: [String?]] = [
        "text": names,
        "text[]": arrays + [
            "{a}", "{complete}", "{sleep}", "{\"'; drop table canary; --\"}", "{\"\\\\u0000\"}", "{1e400}",
            "{a,b}", "{%I}",
        ],
        "uuid": [nil, "019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d", "00000000-0000-0000-0000-000000000000"],
        "uuid[]": arrays + [
            "{019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d}",
            "{019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d,019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d}",
        ],
        "integer": [nil, "0", "1", "-1", "2147483647", "-2147483648", "30"],
        "integer[]": arrays + ["{0}", "{-1}", "{2147483647}", "{30,30}"],
        "double precision[]": arrays + ["{0}", "{-1}", "{NaN}", "{Infinity}", "{1e300}", "{1,1}"],
        "double precision": [nil, "0", "-1", "NaN", "Infinity", "1e300"],
        "boolean": [nil, "true", "false"],
        "boolean[]": arrays + ["{true}", "{false,true}"],
        "timestamp with time zone": [nil, "epoch", "now", "infinity", "-infinity"],
        "timestamp with time zone[]": arrays + ["{epoch}", "{infinity}", "{now,now}"],
        "jsonb": [
            nil, "null", "{}", "[]", "1", "\"x\"", #"{"max_attempts": 0}"#, #"{"max_attempts": 1e30}"#,
            #"{"retry_strategy": {"kind": "exponential", "factor": 1e300}}"#,
            #"{"cancellation": {"max_delay": 1.5}}"#,
            #"{"cleanup_ttl": "'; drop table canary; --"}"#, #"{"cleanup_limit": 99999999999999999999}"#,
            String(repeating: "[", count: 1_000) + String(repeating: "]", count: 1_000),
        ],
    ]

    @Test(arguments: QueueVariant.unpartitioned, [UInt64.random(in: 0 ... .max)])
    func `functions answer any arguments, or refuse them as arguments`(
        _ variant: QueueVariant, _ seed: UInt64
    ) async throws {
        try await variant.withQueue { queue in
            let connection = queue.connection
            try await connection.execute(
                script:
                    "create table public.canary (); select absurd.create_queue('p', 'partitioned'); set statement_timeout = '60s'"
            )
            var random = SeededGenerator(seed: seed)
            for function in try await functions(connection) {
                for _ in 0..<25 {
                    let arguments = function.types.map {
                        Self.values[$0]?.randomElement(using: &random) ?? nil
                    }
                    try await call(function, arguments, connection)
                }
            }
            let canary = try await connection.query("select to_regclass('public.canary') is not null")
            #expect(try canary[0].decode(0, as: Bool.self))
            let spawned = try await queue.spawn(["well"])
            #expect(spawned.count == 1)
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
        var types: [String]
    }

    /// All that have a caller outside of the schemas; others are reached through these.
    private func functions(_ connection: PostgresConnection) async throws -> [Function] {
        let rows = try await connection.query(
            """
            select p.pronamespace::regnamespace || '.' || quote_ident(p.proname) as name,
              array_to_string(array(select format_type(t, null) from unnest(p.proargtypes) t), ';') as types
            from pg_proc p
            where p.pronamespace = 'absurd_swift'::regnamespace and p.proname = any ($1)
               or p.pronamespace = 'absurd'::regnamespace and p.proname = any ($2)
            order by 1, 2
            """,
            [
                .textArray([
                    "spawn", "emit", "cancel", "task_results", "claim", "load_checkpoints", "checkpoint",
                    "renew", "await_event",
                    "await_task", "finish", "arm", "disarm", "due_in", "make_triggers", "make_functions",
                    "missing_triggers",
                    "missing_indexes", "missing_functions", "give_back_strays",
                ]),
                .textArray([
                    "create_queue", "list_queues", "get_queue_policy", "set_queue_policy",
                    "ensure_partitions", "spawn_task",
                    "retry_task", "claim_task", "complete_run", "schedule_run", "fail_run", "cancel_task",
                    "extend_claim",
                    "set_task_checkpoint_state", "get_task_checkpoint_state", "get_task_checkpoint_states",
                    "await_event",
                    "emit_event", "get_task_result", "cleanup_tasks", "cleanup_events", "cleanup_all_queues",
                    "drop_queue",
                    "list_detach_candidates", "drop_detached_partition",
                ]),
            ])
        return try rows.map { row in
            Function(
                name: try row.decode("name"),
                types: try row.decode("types", as: String.self).split(separator: ";").map(String.init))
        }
    }

    private func call(_ function: Function, _ arguments: [String?], _ connection: PostgresConnection)
        async throws
    {
        let list = function.types.enumerated().map { "$\($0 + 1)::text::\($1)" }.joined(separator: ", ")
        do {
            _ = try await connection.query(
                "select * from \(function.name)(\(list))", arguments.map { $0.map { .text($0) } ?? .null })
        } catch let error as PostgresError {
            let state = error.sqlState ?? "no SQLSTATE"
            #expect(
                error.sqlState != nil && !Self.faults.contains { state.hasPrefix($0) },
                "\(function.name)(\(arguments.map { $0.map { String($0.prefix(60)) } ?? "NULL" })): \(state) \(error.message)"
            )
        }
        if function.name.hasSuffix("drop_queue") {
            try await connection.execute(
                script:
                    "select absurd.create_queue('q', 'unpartitioned'); select absurd.create_queue('p', 'partitioned')"
            )
        }
    }
}
