import Absurd
import LibPQ
import TestSupport
import Testing

/// A producer that knows nothing of our notifications wakes our idle workers all the same.
@Suite(.timeLimit(.minutes(10)))
struct WakeUpTests {
    @Test(.database(.migrated))
    func `the Python SDK's spawns and events wake a worker that polls every hour`() async throws {
        try await wakeByPython()
    }

    @Test(.database(.official))
    func `so they do on the schema that absurdctl makes`() async throws {
        try await wakeByPython()
    }

    private func wakeByPython() async throws {
        var configuration = AbsurdConfiguration(TestDatabase.current.connectionString)
        configuration.fallbackInterval = .hours(1)
        let client = try AbsurdClient(configuration, logger: .quiet)
        try await client.createQueue("shared")
        let waiting = Handler("waiting") { context in
            .complete(try await context.awaitEvent("go", as: JSONValue.self))
        }
        let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }
        try await Peer.with(queue: "shared") { peer in
            try await withWorker(
                client, queue: "shared", handlers: [waiting, echo],
                options: {
                    $0.pollInterval = .hours(1)
                    $0.maxBackoff = .hours(1)
                }
            ) { _ in
                try await untilArmed()
                // Lost, a wake-up would show as the test's time limit.
                for number: Int64 in 0..<10 {
                    let task = try taskID(try await peer.call("spawn", ["echo", .integer(number)]))
                    #expect(try await client.awaitTask(task, on: "shared").result == .integer(number))
                }
                let task = try taskID(try await peer.call("spawn", ["waiting", [:]]))
                try await TestDatabase.current.wait(until: "select exists (select from absurd.w_shared)")
                try await untilArmed()
                try await peer.call("emit_event", ["go", ["paid": true]])
                #expect(try await client.awaitTask(task, on: "shared").result == ["paid": true])
            }
        }
        await client.close()
    }

    private func untilArmed() async throws {
        try await TestDatabase.current.wait(
            until: """
                select exists (select from pg_locks
                 where locktype = 'advisory' and classid = absurd_swift.wake_class()::oid and mode = 'ExclusiveLock'
                   and database = (select oid from pg_database where datname = current_database()))
                """)
    }
}
