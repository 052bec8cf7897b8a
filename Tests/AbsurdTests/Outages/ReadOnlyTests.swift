import Absurd
import InMemoryLogging
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

/// Workers that register while the server takes no writes.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ReadOnlyTests {
    @Test func `a pool that starts on a read-only server works when that takes writes again`() async throws {
        let before = try makeClient()
        try await before.createQueue("default")
        let task = try await before.spawn("quick", params: nil)
        let admin = try await TestDatabase.current.connect()
        try await Self.setReadOnly(true, admin)

        let logs = InMemoryLogHandler()
        let client = try makeClient(logger: Logger(label: "read-only") { _ in logs })
        let pool = try WorkerPool(
            client, handlers: [Handler("quick") { _ in .complete }],
            options: testOptions { $0.maxRestarts = 0 })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await pool.run()
                if !Task.isCancelled { throw PoolHasEnded() }
            }
            group.addTask {
                try await eventually("the worker has failed to register") {
                    logs.entries.contains { "\($0.message)".hasPrefix("the database does not answer") }
                }
                #expect(pool.health.isLive)
                try await Self.setReadOnly(false, admin)
                _ = try await task.result(timeout: .seconds(60))
            }
            try await group.next()
            group.cancelAll()
        }
        #expect(pool.restarts.map(\.count) == [0])
        await client.close()
        await before.close()
    }

    /// What `register` meets the second time, when the worker was taken for dead.
    @Test(arguments: ["25006", "53100", "53200", "57014", "40001"])
    func `a worker that was taken for dead registers again in spite of a server that refuses`(
        _ sqlState: String
    ) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let store = RefusingStore(PostgresRunStore(pool: client.pool), sqlState)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [Handler("quick") { _ in .complete }],
            options: testOptions { $0.maxRestarts = 0 }, store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await pool.run()
                if !Task.isCancelled { throw PoolHasEnded() }
            }
            group.addTask {
                try await eventually("it is registered") { try await client.workers().count == 1 }
                let id = try await client.workers()[0].id
                try await client.workerLost(id)
                let task = try await client.spawn("quick", params: nil)
                _ = try await task.result(timeout: .seconds(60))
                #expect(store.registrations == 5)
                #expect(try await client.workers().map(\.id) == [pool.workers[0].id])
            }
            try await group.next()
            group.cancelAll()
        }
        #expect(pool.restarts.map(\.count) == [0])
        await client.close()
    }

    /// For sessions from now on, of which there are no others then.
    private static func setReadOnly(_ isReadOnly: Bool, _ admin: PostgresConnection) async throws {
        try await admin.execute(
            script:
                "alter database \(TestDatabase.current.name) set default_transaction_read_only = \(isReadOnly)"
        )
        _ = try await admin.query(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()
            """)
    }
}

struct PoolHasEnded: Error {}

/// The real store, whose second to fourth registrations are refused.
private final class RefusingStore: RunStore {
    private let base: PostgresRunStore
    private let sqlState: String
    private let count = Mutex(0)

    init(_ base: PostgresRunStore, _ sqlState: String) {
        self.base = base
        self.sqlState = sqlState
    }

    var registrations: Int { count.withLock(\.self) }

    func register(_ entry: RegistryEntry) async throws -> Bool {
        let number = count.withLock { count in
            count += 1
            return count
        }
        guard (2...4).contains(number) else { return try await base.register(entry) }
        var error = PostgresError(.server, "refused")
        error.sqlState = sqlState
        throw AbsurdError(error)
    }

    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] { try await base.claim(request) }
    func deregister(_ worker: String) async throws -> Bool { try await base.deregister(worker) }
    func checkReadiness(queue: String) async throws { try await base.checkReadiness(queue: queue) }
    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        try await base.loadCheckpoints(queue: queue, runs: runs)
    }
    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer] {
        try await base.finish(writes, holder: holder, wait: wait)
    }
    func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] { try await base.checkpoint(writes, holder: holder, wait: wait) }
    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer] {
        try await base.renew(writes, holder: holder, wait: wait)
    }
    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        try await base.awaitEvent(writes, holder: holder, wait: wait)
    }
    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        try await base.awaitTask(writes, holder: holder, wait: wait)
    }
}
