import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Rows of callers whose key or event an open transaction has just inserted.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct HeldRowTests {
    private static let held = 10

    enum Call: String, CaseIterable, Sendable {
        case spawn, emit

        func callAsFunction(_ client: AbsurdClient, _ name: String) async throws {
            switch self {
            case .spawn:
                let options = SpawnOptions(idempotencyKey: name)
                _ = try await client.spawn("task", params: nil, options: options)
            case .emit: try await client.emitEvent(name)
            }
        }

        /// Takes the key in the caller's transaction.
        var taking: String {
            switch self {
            case .spawn:
                """
                select absurd.spawn_task('default', 'task', 'null', jsonb_build_object('idempotency_key', $1::text))
                """
            case .emit: "select absurd.emit_event('default', $1, 'null')"
            }
        }
    }

    @Test(arguments: Call.allCases)
    func `rows that somebody holds keep no other caller of the queue waiting`(_ call: Call) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let blocker = try await TestDatabase.current.connect()
        try await blocker.execute(script: "begin")
        for number in 0..<Self.held { try await blocker.query(call.taking, [.text("held \(number)")]) }
        let answered = Mutex<[String]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.held {
                group.addTask { @Sendable in
                    try await call(client, "held \(number)")
                    answered.withLock { $0.append("held") }
                }
            }
            try await TestDatabase.current.wait(
                until: """
                    select exists (select from pg_stat_activity where wait_event_type = 'Lock'
                      and query like '%absurd_swift.\(call.rawValue)%' and datname = current_database())
                    """)
            try await withThrowingTaskGroup(of: Void.self) { others in
                for number in 0..<30 {
                    others.addTask { @Sendable in
                        for round in 0..<3 { try await call(client, "free \(number) \(round)") }
                        answered.withLock { $0.append("free") }
                    }
                }
                try await others.waitForAll()
            }
            #expect(answered.withLock(\.self) == Array(repeating: "free", count: 30))
            try await blocker.execute(script: "commit")
            try await group.waitForAll()
        }
        #expect(answered.withLock { $0.count } == 30 + Self.held)
        await client.close()
    }
}
