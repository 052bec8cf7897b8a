import Absurd
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// What becomes of running handlers at a graceful shutdown; attempts are read from the rows.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ShutdownTests {
    @Test func `a handler within its grace period completes`() async throws {
        let point = HoldPoint()
        let handler = Handler("finishes") { _ in
            await point.arriveAndWait()
            return .complete
        }
        let run = try await shutDown(handler, at: point, grace: .seconds(30)) { _, _ in point.open() }
        #expect(run.state == "completed" && run.attempt == 1)
    }

    @Test func `a worker in its grace period claims nothing, although it has room and work is due`()
        async throws
    {
        let point = HoldPoint()
        let others = Atomic<Int>(0)
        let holding = Handler("holding") { context in
            await point.arriveAndWait()
            // Each is a round trip, in which a worker that went on would claim.
            for number in 0..<30 { try await context.step("step \(number)") { number } }
            return .complete
        }
        let other = Handler("other") { _ in
            others.add(1, ordering: .relaxed)
            return .complete
        }
        let (client, producer) = (try makeClient(), try makeClient())
        try await client.createQueue("default")
        let options = testOptions {
            $0.concurrency = 4
            $0.pollInterval = .milliseconds(1)
            $0.shutdownGrace = .minutes(5)
        }
        let pool = try WorkerPool(client, handlers: [holding, other], options: options)
        let held = try await client.spawn("holding", params: nil)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                await point.untilArrived()
                trigger.triggerGracefulShutdown()
                for _ in 0..<8 { _ = try await producer.spawn("other", params: nil) }
                point.open()
                try await group.waitForAll()
            }
        }
        #expect(others.load(ordering: .relaxed) == 0)
        #expect(try await producer.awaitTask(held.taskID).state == .completed)
        let rows = try await producer.pool.query(
            """
            select count(*) as pending, count(started_at) as touched from absurd.r_default
             where state = 'pending' and attempt = 1 and claimed_by is null
            """)
        #expect(try rows[0].decode("pending", as: Int.self) == 8)
        // A claim that was under way, for the three free slots, may have got some and given them back.
        #expect(try rows[0].decode("touched", as: Int.self) <= 3)
        await client.close()
        await producer.close()
    }

    @Test func `a handler that outlives the grace period is cancelled and its run given back unspent`()
        async throws
    {
        let point = HoldPoint()
        let handler = Handler("outlives") { _ in
            point.arrive()
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        let run = try await shutDown(handler, at: point)
        #expect(run == ("pending", 1, nil))
    }

    @Test func `the run of a handler that ignores cancellation is given back while it still runs`()
        async throws
    {
        let point = HoldPoint()
        let handler = Handler("ignores") { context in
            await point.arriveAndWait()
            try await context.step("after the end") { 1 }
            return .complete
        }
        let run = try await shutDown(handler, at: point) { client, task in
            try await TestDatabase.current.wait(
                until: "select state = 'pending' and claimed_by is null from absurd.r_default")
            point.open()
        }
        #expect(run == ("pending", 1, nil))
        let steps = try await TestDatabase.current.connect().query("select 1 from absurd.c_default")
        #expect(steps.isEmpty)
    }

    @Test func `a write that is under way at the end of the grace period is recorded`() async throws {
        let cancelled = HoldPoint()
        let blocker = try await TestDatabase.current.connect()
        let handler = Handler("writes") { context in
            _ = try await withTaskCancellationHandler {
                // The lock holds the checkpoint's statement while the shutdown proceeds.
                try await context.step("charge") {
                    try await blocker.execute(script: "begin; lock table absurd.c_default in exclusive mode")
                    return 1
                }
            } onCancel: {
                cancelled.arrive()
            }
            try await context.step("never") { 2 }
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let pool = try WorkerPool(client, handlers: [handler], options: testOptions())
        _ = try await client.spawn("writes", params: nil)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await TestDatabase.current.wait(
                    until: """
                        select exists (select from pg_stat_activity
                          where wait_event_type = 'Lock' and query like '%absurd_swift.checkpoint%'
                            and datname = current_database())
                        """)
                trigger.triggerGracefulShutdown()
                // The grace period is over, and the worker stops its handlers.
                await cancelled.untilArrived()
                try await blocker.execute(script: "commit")
                try await group.waitForAll()
            }
        }
        let rows = try await client.pool.query("select checkpoint_name from absurd.c_default")
        #expect(try rows.map { try $0.decode(0, as: String.self) } == ["charge"])
        let run = try await client.pool.query(
            "select state, attempt, claimed_by is null from absurd.r_default")[0]
        #expect(try run.decode(0, as: String.self) == "pending")
        #expect(try run.decode(1, as: Int32.self) == 1)
        #expect(try run.decode(2, as: Bool.self))
        await client.close()
    }

    @Test func `a run is not given back before its write that is under way has its answer`() async throws {
        let cancelled = HoldPoint()
        let handler = Handler("writes") { context in
            _ = try await withTaskCancellationHandler {
                try await context.step("charge") { 1 }
            } onCancel: {
                cancelled.arrive()
            }
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: .checkpoint)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: testOptions(), store: store)
        _ = try await client.spawn("writes", params: nil)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { store.pause.open() }
                group.addTask { try await pool.run() }
                await store.pause.untilArrived()
                trigger.triggerGracefulShutdown()
                await cancelled.untilArrived()
                // A round trip, in which a worker that did not wait would give the run back.
                let run = try await client.pool.query("select state from absurd.r_default")[0]
                #expect(try run.decode(0, as: String.self) == "running")
                #expect(store.writes[.release] == nil)
                store.pause.open()
                try await group.waitForAll()
            }
        }
        #expect(store.writes[.release] == 1)
        let rows = try await client.pool.query("select checkpoint_name from absurd.c_default")
        #expect(try rows.map { try $0.decode(0, as: String.self) } == ["charge"])
        let run = try await client.pool.query("select state, attempt from absurd.r_default")[0]
        #expect(try run.decode(0, as: String.self) == "pending")
        #expect(try run.decode(1, as: Int32.self) == 1)
        await client.close()
    }

    @Test func `a shutdown waits for the answer to an end that nobody waits for`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: .complete)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [Handler("quick") { _ in .complete }], options: testOptions(),
            store: store)
        let task = try await client.spawn("quick", params: nil)
        let ended = HoldPoint()
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { store.pause.open() }
                group.addTask {
                    try await pool.run()
                    ended.open()
                }
                await store.pause.untilArrived()
                #expect(pool.workers[0].slots.count { $0.run != nil } == 1)
                trigger.triggerGracefulShutdown()
                // A round trip, in which a worker that did not wait would be gone.
                #expect(try await client.task(task.taskID)?.state == .running)
                #expect(!ended.isOpen)
                store.pause.open()
                try await group.waitForAll()
            }
        }
        #expect(try await client.task(task.taskID)?.state == .completed)
        #expect(store.writes == [.complete: 1])
        #expect(pool.workers[0].slots.allSatisfy { $0.run == nil })
        await client.close()
    }

    @Test func `a worker says at its start that the schema is older than it`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        _ = try await client.pool.query(
            "drop function absurd_swift.complete(text, text, uuid[], timestamptz[], text[])")
        let pool = try WorkerPool(client, queue: "default", handlers: [Handler("quick") { _ in .complete }])
        let error = await #expect(throws: AbsurdError.self) { try await pool.run() }
        #expect(error?.code == .schemaOutdated && error?.message.contains("absurd migrate") == true)
        await client.close()
    }

    @Test func `cancelling a pool's task gives everything back at once`() async throws {
        let point = HoldPoint()
        let handler = Handler("held") { _ in
            point.arrive()
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        let options = testOptions { $0.shutdownGrace = .seconds(600) }
        try await withEngine([handler], options: options) { engine in
            _ = try await engine.client.spawn("held", params: nil)
            await point.untilArrived()
        }
        let row = try await TestDatabase.current.connect().query(
            "select state, attempt from absurd.r_default")[0]
        #expect(try row.decode(0, as: String.self) == "pending")
        #expect(try row.decode(1, as: Int32.self) == 1)
    }

    @Test func `a handler that swallows the end of its execution does not complete its task`() async throws {
        let point = HoldPoint()
        let handler = Handler("swallows") { context in
            await point.arriveAndWait()
            _ = try? await context.step("mail") { 1 }
            return .complete
        }
        let run = try await shutDown(handler, at: point) { _, _ in
            try await TestDatabase.current.wait(
                until: "select state = 'pending' and claimed_by is null from absurd.r_default")
            point.open()
        }
        #expect(run == ("pending", 1, nil))
    }

    @Test func `runs are given back when another service of the group fails`() async throws {
        struct Failing: Service {
            let point: HoldPoint
            func run() async throws {
                await point.untilArrived()
                throw CancellationError()
            }
        }
        let point = HoldPoint()
        let handler = Handler("held") { _ in
            point.arrive()
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let pool = try WorkerPool(client, handlers: [handler], options: testOptions())
        _ = try await client.spawn("held", params: nil)
        await #expect(throws: (any Error).self) {
            try await ServiceGroup(services: [client, Failing(point: point), pool], logger: .quiet).run()
        }
        let run = try await TestDatabase.current.connect().query(
            "select state, attempt, claimed_by is null from absurd.r_default")[0]
        #expect(try run.decode(0, as: String.self) == "pending")
        #expect(try run.decode(1, as: Int32.self) == 1)
        #expect(try run.decode(2, as: Bool.self))
    }

    @Test func `a row that somebody holds does not keep the worker from ending`() async throws {
        let point = HoldPoint()
        let handler = Handler("held") { _ in
            point.arrive()
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let pool = try WorkerPool(client, handlers: [handler], options: testOptions())
        _ = try await client.spawn("held", params: nil)
        let blocker = try await TestDatabase.current.connect()
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                await point.untilArrived()
                try await blocker.execute(script: "begin")
                _ = try await blocker.query("select 1 from absurd.r_default for update")
                trigger.triggerGracefulShutdown()
                // Returns although the lock is held; the run is left to its claim.
                try await group.waitForAll()
            }
        }
        try await blocker.execute(script: "rollback")
        let run = try await blocker.query("select state from absurd.r_default")[0]
        #expect(try run.decode(0, as: String.self) == "running")
        await client.close()
    }

    @Test(arguments: [LosingStore.Moment.before, .after])
    func `runs go back although the connection is lost meanwhile`(_ moment: LosingStore.Moment) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let store = LosingStore(PostgresRunStore(pool: client.pool), moment)
        try await stopWhileHeld(client, store) {}
        #expect(store.losses["release"] == 1)
        let run = try await TestDatabase.current.connect().query(
            "select state = 'pending' and attempt = 1 and claimed_by is null from absurd.r_default")[0]
        #expect(try run.decode(0, as: Bool.self))
        await client.close()
    }

    @Test func `a run goes back as soon as whoever holds its row lets go of it`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let blocker = try await TestDatabase.current.connect()
        let store = LosingStore(PostgresRunStore(pool: client.pool), .late) { number in
            // The first one was refused.
            if number == 2 { _ = try? await blocker.execute(script: "rollback") }
        }
        try await stopWhileHeld(client, store) {
            try await blocker.execute(script: "begin; select 1 from absurd.r_default for update")
        }
        let run = try await blocker.query(
            "select state = 'pending' and attempt = 1 and claimed_by is null from absurd.r_default")[0]
        #expect(try run.decode(0, as: Bool.self))
        await client.close()
    }

    /// Stops a pool while a handler executes.
    private func stopWhileHeld(
        _ client: AbsurdClient, _ store: any RunStore, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let point = HoldPoint()
        let handler = Handler("held") { _ in
            point.arrive()
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: testOptions(), store: store)
        _ = try await client.spawn("held", params: nil)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                await point.untilArrived()
                try await body()
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
    }

    @Test func `the hook for failures is cancelled when the worker stops`() async throws {
        let point = HoldPoint()
        let wasCancelled = Atomic<Bool>(false)
        let handler = Handler("fails") { _ in
            throw TaskFailure("always", retry: .never)
        } onError: { _, _ in
            point.arrive()
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                wasCancelled.store(true, ordering: .relaxed)
            }
        }
        let run = try await shutDown(handler, at: point)
        let isCancelled = wasCancelled.load(ordering: .relaxed)
        #expect(isCancelled)
        #expect(run.state == "failed" && run.attempt == 1)
    }
}
