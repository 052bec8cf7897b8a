import Absurd
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// Handlers that never give their thread back.
///
/// Serialized: each occupies some of the few threads on which the handlers of this process execute.
@Suite(.database(.migrated), .serialized, .timeLimit(.minutes(10)))
struct BusyHandlerTests {
    /// The first one takes a thread and computes; whether the next ones are left to it must not depend on how soon they come.
    @Test func `as many handlers as there are threads compute at once, however close they start`()
        async throws
    {
        let threads = HandlerThreads.shared
        let deadline = ContinuousClock.now + .seconds(60)
        for round in 1...50 {
            let arrived = Atomic<Int>(0)
            await withTaskGroup(of: Void.self) { group in
                for number in 1...threads.threadCount {
                    group.addTask(executorPreference: threads) { @Sendable in
                        arrived.add(1, ordering: .relaxed)
                        while arrived.load(ordering: .relaxed) < threads.threadCount, .now < deadline {}
                    }
                    // The next one comes when a thread has just taken this one.
                    while arrived.load(ordering: .relaxed) < number, .now < deadline {}
                }
            }
            guard ContinuousClock.now < deadline else {
                Issue.record("round \(round) did not end by itself")
                return
            }
            // Until all of them sleep.
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test func `a handler that computes without pause does not block its worker`() async throws {
        let isDone = Atomic<Bool>(false)
        let busy = Handler("busy") { _ in
            while !isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let quick = Handler("quick") { _ in .complete }
        try await withEngine([busy, quick]) { engine in
            // Also when something fails: the handler would never end, and neither would the test.
            defer { isDone.store(true, ordering: .relaxed) }
            let first = try await engine.client.spawn("busy", params: nil)
            try await engine.waitUntil(first.taskID, is: .running)
            let second = try await engine.client.spawn("quick", params: nil)
            _ = try await second.result(timeout: .seconds(60))
            isDone.store(true, ordering: .relaxed)
            _ = try await first.result(timeout: .seconds(60))
        }
    }

    @Test func `the run of a handler that computes without pause is given back unspent`() async throws {
        let point = HoldPoint()
        let isDone = Atomic<Bool>(false)
        let handler = Handler("computes") { _ in
            point.arrive()
            while !isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let run = try await shutDown(handler, at: point) { _, _ in
            defer { isDone.store(true, ordering: .relaxed) }
            try await TestDatabase.current.wait(
                until: "select state = 'pending' and claimed_by is null from absurd.r_default")
            isDone.store(true, ordering: .relaxed)
        }
        #expect(run == ("pending", 1, nil))
    }

    @Test func `handlers that occupy all their threads keep no worker from ending and giving back`()
        async throws
    {
        let threads = HandlerThreads.shared.threadCount
        let isDone = Atomic<Bool>(false)
        defer { isDone.store(true, ordering: .relaxed) }
        let arrived = Atomic<Int>(0)
        let handler = Handler("computes") { _ in
            arrived.add(1, ordering: .relaxed)
            while !isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        for _ in 0..<threads + 2 { _ = try await client.spawn("computes", params: nil) }
        let options = testOptions {
            $0.shutdownGrace = .zero
            $0.cancellationGrace = .milliseconds(10)
        }
        let pool = try WorkerPool(client, handlers: [handler], options: options)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await eventually("all threads are taken") { arrived.load(ordering: .relaxed) >= threads }
                try await eventually("everybody has a slot") {
                    pool.workers[0].slots.count { $0.run != nil } == threads + 2
                }
                try await eventually("it is told") {
                    pool.health(at: .now + .seconds(10)).problems.contains { $0.code == .handlersBlocked }
                }
                trigger.triggerGracefulShutdown()
                // Returns although none of them does.
                try await group.waitForAll()
            }
        }
        let rows = try await client.pool.query(
            "select count(*) from absurd.r_default where state = 'pending' and claimed_by is null and attempt = 1"
        )
        #expect(try rows[0].decode(0, as: Int.self) == threads + 2)
        await client.close()
    }

    @Test func `a step is recorded although handlers occupy all threads before its write is answered`()
        async throws
    {
        let threads = HandlerThreads.shared.threadCount
        let isDone = Atomic<Bool>(false)
        defer { isDone.store(true, ordering: .relaxed) }
        let arrived = Atomic<Int>(0)
        let blocker = try await TestDatabase.current.connect()
        let writes = Handler("writes") { context in
            try await context.step("charge") {
                try await blocker.execute(script: "begin; lock table absurd.c_default in exclusive mode")
                return 1
            }
            return .complete
        }
        let computes = Handler("computes") { _ in
            arrived.add(1, ordering: .relaxed)
            while !isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        _ = try await client.spawn("writes", params: nil)
        let options = testOptions {
            $0.shutdownGrace = .zero
            $0.cancellationGrace = .milliseconds(10)
        }
        let pool = try WorkerPool(client, handlers: [writes, computes], options: options)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await TestDatabase.current.wait(
                    until: """
                        select exists (select from pg_stat_activity
                          where wait_event_type = 'Lock' and query like '%absurd_swift.checkpoint%'
                            and datname = current_database())
                        """)
                for _ in 0..<threads { _ = try await client.spawn("computes", params: nil) }
                try await eventually("all threads are taken") { arrived.load(ordering: .relaxed) >= threads }
                try await blocker.execute(script: "commit")
                try await TestDatabase.current.wait(until: "select exists (select from absurd.c_default)")
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        let held = try await client.pool.query("select 1 from absurd.r_default where state = 'running'")
        #expect(held.isEmpty)
        await client.close()
    }
}
