import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Ends of runs, which handlers do not wait for: what a worker holds is bounded by its slots all the same.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct UnansweredEndTests {
    private static let slots = 3
    private static let quickCount = 8

    @Test func `a run keeps its slot until its end is answered, and no claim counts on that slot`()
        async throws
    {
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: .complete)
        let contexts = Mutex<[TaskContext]>([])
        let parking = HoldPoint()
        let parks = Handler("parks") { context in
            await parking.arriveAndWait()
            let _: Int = try await context.awaitEvent("never")
            return .complete
        }
        let quick = Handler("quick") { context in
            contexts.withLock { $0.append(context) }
            return .complete
        }
        let pool = try WorkerPool(
            client, queue: "default", handlers: [parks, quick], options: Self.options, store: store)
        // All there before the worker is, so that nothing is claimed but by its claims; the first one first.
        _ = try await client.spawn("parks", params: nil)
        _ = try await client.spawnMany(
            (0..<Self.quickCount).map { _ in try SpawnRequest("quick", params: nil) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer {
                parking.open()
                store.pause.open()
            }
            group.addTask { try await pool.run() }
            func untilEnded(_ count: Int) async throws {
                try await eventually("\(count) handlers are over") {
                    contexts.withLock { $0.count { $0.phase == .ended(.finished) } } == count
                }
            }
            await parking.untilArrived()
            await store.pause.untilArrived()
            try await untilEnded(Self.slots - 1)
            // The only slot that becomes free: the claim that fills it has the ends of all others before it.
            parking.open()
            try await untilEnded(Self.slots)
            try await outlive(store)
            #expect(store.claimed == [Self.slots, 1])
            #expect(contexts.withLock(\.count) == Self.slots)
            #expect(pool.workers[0].slots.count { $0.run != nil } == Self.slots)
            #expect(try await count("state = 'running'", client) == Self.slots)
            #expect(try await count("state = 'completed'", client) == 0)

            store.pause.open()
            try await eventually("claiming goes on") {
                try await count("state = 'completed' and attempt = 1", client) == Self.quickCount
            }
            group.cancelAll()
        }
        #expect(store.claimed.allSatisfy { $0 <= Self.slots })
        #expect(store.claimed.reduce(0, +) == Self.quickCount + 1)
        await client.close()
    }

    private static var options: WorkerOptions {
        testOptions {
            $0.concurrency = slots
            // Which makes the worker look at its claims every two seconds, and keep them.
            $0.claimTimeout = .seconds(6)
            $0.renewal = .automatic(upTo: .hours(1))
        }
    }

    /// Returns when the worker has lived on for a while: a whole look at its claims, from beginning to end.
    private func outlive(_ store: PausingStore) async throws {
        let looks = store.looks
        try await eventually("it looks at its claims twice") { store.looks >= looks + 2 }
    }

    private func count(_ condition: String, _ client: AbsurdClient) async throws -> Int {
        try await client.pool.query("select count(*) from absurd.r_default where \(condition)")[0].decode(0)
    }
}
