import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Idle workers that nothing but a notification or a timer can wake.
///
/// They poll every hour and look again as rarely.
/// A wake-up that is lost makes these tests run into their time limit.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct WakeUpTests {
    private func withSleepyEngine(
        _ handlers: [Handler], listens: Bool = true,
        options: (inout WorkerOptions) -> Void = { _ in }, isSpawner: Bool = false,
        _ body: @Sendable @escaping (Engine) async throws -> Void
    ) async throws {
        let options = testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
            options(&$0)
        }
        try await withEngine(
            handlers, options: options,
            configuration: {
                $0.fallbackInterval = .hours(1)
                $0.listens = listens
            }
        ) { engine in
            try await waitUntilArmed(engine)
            if isSpawner { try await body(engine) } else { try await spawningElsewhere(engine, body) }
        }
    }

    /// What the workers' own client spawns and emits reaches them without a wake-up.
    private func spawningElsewhere(
        _ engine: Engine, _ body: @Sendable @escaping (Engine) async throws -> Void
    ) async throws {
        let client = try makeClient { $0.fallbackInterval = .hours(1) }
        let result: Result<Void, any Error>
        do {
            try await body(Engine(client: client, pool: engine.pool, queue: engine.queue))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await client.close()
        try result.get()
    }

    /// A queue that others have made, so that it has no trigger before a worker serves it.
    private func makeForeignQueue() async throws -> PostgresConnection {
        let connection = try await TestDatabase.current.connect()
        try await connection.query("select absurd.create_queue('foreign')")
        return connection
    }

    /// The same as ``withSleepyEngine(_:listens:options:_:)`` for that queue, which is not armed at once.
    private func withForeignEngine(_ body: @Sendable @escaping (Engine) async throws -> Void) async throws {
        let options = testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
        }
        try await withEngine(
            [echo], queue: "foreign", options: options,
            configuration: { $0.fallbackInterval = .hours(1) }
        ) { try await spawningElsewhere($0, body) }
    }

    /// The session that holds the queue's lock.
    private func armedSessions() async throws -> [Int32] {
        let connection = try await TestDatabase.current.connect()
        let rows = try await connection.query(
            """
            select pid from pg_locks
             where locktype = 'advisory' and classid = absurd_swift.wake_class()::oid and mode = 'ExclusiveLock'
               and database = (select oid from pg_database where datname = current_database())
            """)
        await connection.close()
        return try rows.map { try $0.decode("pid") }
    }

    private func waitUntilArmed(_ engine: Engine) async throws {
        try await eventually("a session is armed") { try await armedSessions().count == 1 }
    }

    private let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }

    @Test func `a spawn wakes an idle worker, and its result wakes who waits for it`() async throws {
        try await withSleepyEngine([echo]) { engine in
            for number in 0..<20 {
                let task = try await engine.client.spawn("echo", params: .integer(Int64(number)))
                #expect(try await task.result() == .integer(Int64(number)))
            }
        }
    }

    @Test func `an emission, a due time, a retry and a foreign spawn wake an idle worker`() async throws {
        let attempts = Mutex(0)
        let handler = Handler("journey") { context in
            let attempt = attempts.withLock { attempts in
                attempts += 1
                return attempts
            }
            try await context.sleep("short", for: .milliseconds(50))
            let payload: String = try await context.awaitEvent("go")
            guard attempt > 3 else { return .fail(["reason": "not yet"]) }
            return .complete(.string(payload))
        }
        try await withSleepyEngine([handler]) { engine in
            let options = SpawnOptions(maxAttempts: .attempts(1))
            let task = try await engine.client.spawn("journey", params: nil, options: options)
            try await eventually("the task waits for its event") {
                try await engine.run("wake_event", of: task.taskID, as: String?.self) == "go"
            }
            try await engine.client.emitEvent("go", "gone")
            try await engine.waitUntil(task.taskID, is: .failed)
            _ = try await engine.client.retryTask(task.taskID)
            #expect(try await task.result() == "gone")
            let rows = try await engine.rows(
                "select task_id from absurd.spawn_task('default', 'journey', 'null')")
            let foreign = TaskID(try rows[0].decode("task_id"))
            #expect(try await engine.client.awaitTask(foreign).state == .completed)
        }
    }

    @Test func `an idle worker of the client that spawns needs no notification`() async throws {
        try await withSleepyEngine([echo], isSpawner: true) { engine in
            _ = try await engine.rows(
                """
                create or replace function absurd_swift.notify_wake() returns trigger language plpgsql
                as $$ begin return null; end $$
                """)
            let watch = engine.client.wakeUps.watched("default").watch
            for number in 0..<3 {
                try await eventually("the worker is armed") { watch.isArmed }
                let spawned = try await engine.client.spawn("echo", params: .integer(Int64(number)))
                #expect(try await spawned.result() == .integer(Int64(number)))
                try await eventually("the worker is armed") { watch.isArmed }
                let together = try await engine.client.spawnMany([SpawnRequest("echo", params: nil)])
                #expect(try await together[0].result() == .null)
            }
        }
    }

    @Test(arguments: ["read committed", "repeatable read"])
    func `a run that is spawned before the worker arms, and committed while it tries to, is not missed`(
        _ isolation: String
    ) async throws {
        let spawner = try await makeForeignQueue()
        try await spawner.query("select absurd_swift.make_triggers('foreign')")
        try await spawner.execute(script: "begin isolation level \(isolation)")
        let rows = try await spawner.query("select task_id from absurd.spawn_task('foreign', 'echo', '1')")
        let open = TaskID(try rows[0].decode("task_id"))
        try await withForeignEngine { engine in
            // It has met the spawner's lock, which stands for a run that nobody will be told of.
            try await TestDatabase.current.wait(
                until: """
                    select exists (select from pg_stat_activity where query like '%absurd_swift.arm(%'
                       and state = 'idle' and datname = current_database())
                    """)
            #expect(try await armedSessions().isEmpty)
            try await spawner.execute(script: "commit")
            let ended = try await engine.client.awaitTask(open, on: "foreign", timeout: .seconds(60))
            #expect(ended.state == .completed)
        }
    }

    @Test(arguments: ["read committed", "repeatable read"])
    func `a run that is spawned under an armed worker, and committed after it has worked, is not missed`(
        _ isolation: String
    ) async throws {
        try await withSleepyEngine([echo]) { engine in
            let spawner = try await TestDatabase.current.connect()
            try await spawner.execute(script: "begin isolation level \(isolation)")
            let rows = try await spawner.query(
                "select task_id from absurd.spawn_task('default', 'echo', '1')")
            let open = TaskID(try rows[0].decode("task_id"))
            _ = try await engine.client.spawn("echo", params: 2).result()
            try await spawner.execute(script: "commit")
            let ended = try await engine.client.awaitTask(open, timeout: .seconds(60))
            #expect(ended.state == .completed)
        }
    }

    @Test func `when the connection that listens is killed, another one takes its place`() async throws {
        try await withSleepyEngine([echo], options: { $0.pollInterval = .milliseconds(50) }) { engine in
            let killed = try await armedSessions()
            for pid in killed {
                _ = try await engine.rows("select pg_terminate_backend($1)", [.int(Int64(pid))])
            }
            // Whether the poll in between or the new connection's look finds it.
            #expect(try await engine.client.spawn("echo", params: 1).result(timeout: .seconds(60)) == 1)
            try await eventually("another session is armed") {
                let armed = try await armedSessions()
                return armed.count == 1 && armed != killed
            }
            #expect(try await engine.client.spawn("echo", params: 2).result(timeout: .seconds(60)) == 2)
        }
    }

    @Test func `of two clients that idle one is armed, and the other takes over when that one has no room`()
        async throws
    {
        let point = HoldPoint()
        let hold = Handler("hold") { _ in
            await point.arriveAndWait()
            return .complete
        }
        let options = testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
            $0.concurrency = 1
        }
        let clients = try (0..<2).map { _ in try makeClient { $0.fallbackInterval = .hours(1) } }
        try await clients[0].createQueue("default")
        let pools = try clients.map { try WorkerPool($0, handlers: [hold, echo], options: options) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for pool in pools { group.addTask { try await pool.run() } }
            defer { point.open() }
            try await eventually("both listen") {
                let rows = try await clients[0].pool.query(
                    """
                    select count(*) from pg_stat_activity
                     where query like '%absurd_swift.arm%' and state = 'idle' and datname = current_database()
                    """)
                return try rows[0].decode(0, as: Int.self) == 2
            }
            let held = try await clients[0].spawn("hold", params: nil)
            await point.untilArrived()
            for number in 0..<3 {
                let task = try await clients[0].spawn("echo", params: .integer(Int64(number)))
                #expect(try await task.result() == .integer(Int64(number)))
            }
            point.open()
            _ = try await held.result()
            group.cancelAll()
            try await group.waitForAll()
        }
        for client in clients { await client.close() }
    }

    @Test func `without a connection that listens idle workers poll, and callers ask for results`()
        async throws
    {
        try await withEngine([echo], configuration: { $0.listens = false }) { engine in
            let task = try await engine.client.spawn("echo", params: 1)
            #expect(try await task.result(timeout: .seconds(60)) == 1)
            #expect(try await armedSessions().isEmpty)
        }
    }

    @Test func `the lock goes when the workers do, and so does the connection`() async throws {
        try await withSleepyEngine([echo]) { _ in }
        try await TestDatabase.current.wait(
            until:
                "select not exists (select from pg_stat_activity where application_name = 'swift-absurd' and datname = current_database())"
        )
    }

    @Test func `a queue made by others gets its trigger when a worker serves it`() async throws {
        _ = try await makeForeignQueue()
        try await withForeignEngine { engine in
            let task = try await engine.client.spawn("echo", params: 1, on: "foreign")
            #expect(try await task.result() == 1)
        }
    }

    @Test
    func `a worker that could not make the trigger tries again a second later, however seldom it polls`()
        async throws
    {
        let writer = try await makeForeignQueue()
        try await writer.execute(script: "begin; lock table absurd.r_foreign in row exclusive mode")
        try await withForeignEngine { engine in
            // The writer's own transaction would see the same activity all the time.
            let observer = try await TestDatabase.current.connect()
            func waits() async throws -> Bool {
                let rows = try await observer.query(
                    """
                    select count(*) from pg_stat_activity
                     where wait_event_type = 'Lock' and query like '%make_triggers%' and datname = current_database()
                    """)
                return try rows[0].decode(0, as: Int.self) > 0
            }
            try await eventually("the trigger waits for the writer") { try await waits() }
            try await eventually("and gives up") { try await !waits() }
            try await writer.execute(script: "commit")
            try await waitUntilArmed(engine)
            #expect(try await engine.client.spawn("echo", params: 1, on: "foreign").result() == 1)
        }
    }

    @Test func `a worker that made the trigger while another one did tries again a second later`()
        async throws
    {
        let connection = try await makeForeignQueue()
        // As Postgres answers who changes the same row of its catalogue as somebody else.
        try await connection.execute(
            script: """
                create sequence attempts;
                alter function absurd_swift.make_triggers(text) rename to make_triggers_indeed;
                create function absurd_swift.make_triggers(p_queue text) returns void language plpgsql as $$
                begin
                  if nextval('attempts') = 1 then
                    raise exception 'tuple concurrently updated' using errcode = 'XX000';
                  end if;
                  perform absurd_swift.make_triggers_indeed(p_queue);
                end $$
                """)
        try await withForeignEngine { engine in
            try await waitUntilArmed(engine)
            let rows = try await engine.rows("select last_value from attempts")
            #expect(try rows[0].decode(0, as: Int.self) == 2)
        }
    }
}
