import Absurd
import Foundation
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// Workers in the registry, and what they do when they are taken for dead.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct RegistrationTests {
    /// Executes until it is cancelled, the first time; afterwards completes.
    private func firstHeld(_ point: HoldPoint) -> Handler {
        let isFirst = Atomic<Bool>(true)
        return Handler("held") { _ in
            guard isFirst.exchange(false, ordering: .relaxed) else { return .complete }
            point.arrive()
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
    }

    @Test func `beats come as often as the database counts on`() async throws {
        let row = try await TestDatabase.current.connect().query(
            """
            select extract(epoch from absurd_swift.beat_window())::float8 as window,
              extract(epoch from absurd_swift.beat_gap())::float8 as gap,
              extract(epoch from absurd_swift.silence_limit(0))::float8 as idle
            """)[0]
        let window = Duration.seconds(try row.decode("window", as: Double.self))
        let gap = Duration.seconds(try row.decode("gap", as: Double.self))
        for _ in 0..<100 {
            let working = BeatTiming.next(hasRuns: true, suspects: false, othersRun: false)
            #expect(working <= .seconds(1) && working * 3 <= window)
            // Whoever judges others must not have a gap himself, nor count as silent in an outage that he missed.
            let watching = BeatTiming.next(hasRuns: false, suspects: false, othersRun: true)
            #expect(watching < gap && working + gap <= window)
            #expect(BeatTiming.next(hasRuns: false, suspects: true, othersRun: true) <= .seconds(1))
            let idle = BeatTiming.next(hasRuns: false, suspects: false, othersRun: false)
            #expect(idle * 3 < .seconds(try row.decode("idle", as: Double.self)))
        }
    }

    @Test func `workers are registered while they run, and gone after a graceful end`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let options = testOptions {
            $0.workers = 2
            $0.workerID = "mine"
            $0.concurrency = 3
            $0.version = "build 7"
            $0.shutdownGrace = .seconds(60)
        }
        let point = HoldPoint()
        let handler = Handler("held") { _ in
            await point.arriveAndWait()
            return .complete
        }
        let pool = try WorkerPool(client, handlers: [handler], options: options)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                _ = try await client.spawn("held", params: nil)
                await point.untilArrived()
                try await eventually("a beat says what is under way") {
                    try await client.workers().map(\.running).sorted() == [0, 1]
                }
                let workers = try await client.workers(on: "default")
                #expect(workers.map(\.id) == pool.workers.map(\.id).sorted())
                #expect(workers.map { $0.id.prefix(7) } == ["mine-1:", "mine-2:"])
                #expect(Set(workers.map(\.process)).count == 1)
                #expect(
                    workers.allSatisfy {
                        $0.queue == "default" && $0.version == "build 7" && $0.slots == 3 && $0.restarts == 0
                            && $0.state == .live && $0.processID > 0 && !$0.host.isEmpty
                    })
                #expect(try await client.workers(on: "another").isEmpty)
                trigger.triggerGracefulShutdown()
                point.open()
                try await group.waitForAll()
            }
        }
        #expect(try await client.workers().isEmpty)
        await client.close()
    }

    @Test func `a worker that was taken for dead cancels its handlers and goes on under a new id`()
        async throws
    {
        let point = HoldPoint()
        try await withEngine([firstHeld(point)]) { engine in
            let task = try await engine.client.spawn("held", params: nil)
            await point.untilArrived()
            let id = engine.pool.workers[0].id
            #expect(try await engine.client.workerLost(id) == 1)
            _ = try await task.result(timeout: .seconds(60))
            #expect(try await engine.run("attempt", of: task.taskID, as: Int.self) == 2)
            let next = engine.pool.workers[0].id
            #expect(next != id)
            #expect(try await engine.run("claimed_by", of: task.taskID, as: String.self) == next)
            #expect(try await engine.client.workers().map(\.id) == [next])
            #expect(engine.pool.restarts.map(\.count) == [0])
            let reason = try await engine.rows(
                "select failure_reason ->> 'name' from absurd.r_default where attempt = 1")[0]
            #expect(try reason.decode(0, as: String.self) == "$WorkerLost")
        }
    }

    @Test func `what such a worker still holds is given back unspent`() async throws {
        let point = HoldPoint()
        try await withEngine([firstHeld(point)]) { engine in
            let task = try await engine.client.spawn(
                "held", params: nil, options: SpawnOptions(maxAttempts: 1))
            await point.untilArrived()
            // As an observer leaves it whose verdict on a final attempt waits.
            _ = try await engine.rows("update absurd_swift.workers set lost_at = clock_timestamp()")
            _ = try await task.result(timeout: .seconds(60))
            #expect(try await engine.run("attempt", of: task.taskID, as: Int.self) == 1)
        }
    }

    @Test func `a worker that was taken for dead goes on although somebody holds the row of its run`()
        async throws
    {
        let point = HoldPoint()
        try await withEngine([firstHeld(point), Handler("quick") { _ in .complete }]) { engine in
            _ = try await engine.client.spawn("held", params: nil)
            await point.untilArrived()
            let blocker = try await TestDatabase.current.connect()
            try await blocker.execute(script: "begin; select 1 from absurd.r_default for update")
            _ = try await engine.rows("delete from absurd_swift.workers")
            // It claims again, under another id.
            let quick = try await engine.client.spawn("quick", params: nil)
            _ = try await quick.result(timeout: .seconds(60))
            try await blocker.execute(script: "rollback")
        }
    }

    @Test func `a claim tells an idle worker that it was taken for dead`() async throws {
        let handler = Handler("quick") { _ in .complete }
        try await withEngine([handler]) { engine in
            try await eventually("it is registered") { try await engine.client.workers().count == 1 }
            let id = engine.pool.workers[0].id
            #expect(try await engine.client.processLost(engine.client.workers()[0].process) == 0)
            // Long before the next beat of an idle worker.
            let task = try await engine.client.spawn("quick", params: nil)
            _ = try await task.result(timeout: .seconds(60))
            #expect(engine.pool.workers[0].id != id)
        }
    }

    @Test func `the runs of a silent worker of another queue are found by whoever is there`() async throws {
        try await withEngine([]) { engine in
            let client = engine.client
            try await client.createQueue("other")
            _ = try await client.spawn("task", params: nil, on: "other")
            _ = try await engine.rows(
                "select absurd_swift.register('silent', 'other', 'p', 'h', 1, 'v', 1)")
            let claimed = try await engine.rows(
                "select 1 from absurd_swift.claim('other', 'silent', 120, 1, null, true, true)")
            #expect(claimed.count == 1)
            try await eventually("it was given up", within: .seconds(60)) {
                let rows = try await engine.rows("select state from absurd.r_other order by attempt")
                return try rows.map { try $0.decode(0, as: String.self) } == ["failed", "pending"]
            }
            #expect(try await client.workers().map(\.queue) == ["default"])
        }
    }

    @Test func `runs whose checkpoints are being loaded count as under way`() async throws {
        let handler = Handler("sleeper") { context in
            try await context.sleep(for: .milliseconds(10))
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: nil, holdsLoads: true)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: testOptions(), store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            defer { store.load.open() }
            let task = try await client.spawn("sleeper", params: nil)
            await store.load.untilArrived()
            try await eventually("the slot of the execution before is free") {
                pool.workers[0].slots.allSatisfy { $0.run == nil }
            }
            let since = try await client.workers()[0].lastSeenAt
            try await eventually("two beats say so") {
                let worker = try await client.workers()[0]
                return worker.running == 1 && worker.lastSeenAt.timeIntervalSince(since) > 1.5
            }
            store.load.open()
            _ = try await task.result(timeout: .seconds(60))
            group.cancelAll()
        }
        await client.close()
    }
}
