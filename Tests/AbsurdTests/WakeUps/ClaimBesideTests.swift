import Absurd
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// What a program makes due for an idle worker of its own is claimed by the statement that made it due.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct ClaimBesideTests {
    private let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }

    private var sleepy: WorkerOptions {
        testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
        }
    }

    /// A worker that is idle and would not look for work within the hour.
    private func withIdleEngine(
        _ handlers: [Handler], options: (inout WorkerOptions) -> Void = { _ in }, workers: Int = 1,
        configuration: (inout AbsurdConfiguration) -> Void = { _ in },
        _ body: @Sendable @escaping (Engine) async throws -> Void
    ) async throws {
        var all = sleepy
        options(&all)
        all.workers = workers
        try await withEngine(
            handlers, options: all,
            configuration: {
                $0.fallbackInterval = .hours(1)
                configuration(&$0)
            }
        ) { engine in
            if engine.client.wakeUps.listenerLoop != nil { try await armed(engine.client) }
            try await idle(engine)
            try await body(engine)
        }
    }

    /// The watch has looked once with all workers idle, and waits.
    private func armed(_ client: AbsurdClient) async throws {
        let watch = client.wakeUps.watched("default").watch
        try await eventually("the worker is armed") { watch.isArmed && watch.idleCount > 0 }
    }

    private func idle(_ engine: Engine) async throws {
        try await eventually("every worker is idle") {
            engine.client.wakeUps.watched("default").watch.idleCount == engine.pool.workers.count
        }
    }

    /// From now on it is noted which runs are claimed by what makes them due.
    private func noteClaims() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(
            script: """
                create table public.claimed (run_id uuid, how text);
                create function public.note_claim() returns trigger language plpgsql security definer as $$
                begin
                  insert into public.claimed values (new.run_id, case tg_op when 'INSERT' then 'spawned' else 'emitted' end);
                  return null;
                end $$;
                create trigger note_spawned after insert on absurd.r_default for each row
                  when (new.state = 'running') execute function public.note_claim();
                create trigger note_emitted after update on absurd.r_default for each row
                  when (old.state = 'sleeping' and old.wake_event is not null and new.state = 'running' and new.wake_event is null)
                  execute function public.note_claim();
                """)
        await connection.close()
    }

    private func isClaimed(_ task: TaskID, _ how: String) async throws -> Bool {
        let connection = try await TestDatabase.current.connect()
        let rows = try await connection.query(
            """
            select 1 from public.claimed c join absurd.r_default r on r.run_id = c.run_id
             where r.task_id = $1 and c.how = $2
            """, [.uuid(task.uuid), .text(how)])
        await connection.close()
        return !rows.isEmpty
    }

    /// Repeats what may find the worker at a claim of its own, as after every wait that was parked.
    private func untilClaimed(_ engine: Engine, _ body: () async throws -> Bool) async throws {
        for _ in 0..<100 {
            try await idle(engine)
            if try await body() { return }
        }
        Issue.record("nothing was claimed by what made it due")
    }

    @Test(arguments: [true, false])
    func `tasks and events of the program itself are claimed by their statements`(listens: Bool) async throws
    {
        let waiting = Handler("waiting") { context in
            let number = try context.params(as: Int.self)
            let first = try await context.step("first") { number * 2 }
            let payload: Int = try await context.awaitEvent("go \(number)")
            return .complete([
                .integer(Int64(first)), .integer(Int64(payload)), .integer(Int64(context.attempt)),
            ])
        }
        // Workers that are not told claim again and again.
        let options = listens ? sleepy : testOptions()
        try await withIdleEngine(
            [echo, waiting], options: { $0 = options }, configuration: { $0.listens = listens }
        ) {
            engine in
            try await noteClaims()
            let numbers = Mutex(0)
            try await untilClaimed(engine) {
                let number = numbers.withLock {
                    $0 += 1; return $0
                }
                let task = try await engine.client.spawn("echo", params: .integer(Int64(number)))
                #expect(try await task.result() == .integer(Int64(number)))
                return try await isClaimed(task.taskID, "spawned")
            }
            try await untilClaimed(engine) {
                let number = numbers.withLock {
                    $0 += 1; return $0
                }
                let waiter = try await engine.client.spawn("waiting", params: .integer(Int64(number)))
                try await engine.waitUntil(waiter.taskID, is: .sleeping)
                try await idle(engine)
                try await engine.client.emitEvent("go \(number)", 7)
                #expect(try await waiter.result() == [.integer(Int64(2 * number)), 7, 1])
                return try await isClaimed(waiter.taskID, "emitted")
            }
        }
    }

    @TaskLocal private static var callers = "nobody's"

    /// Who spawns or emits may be in the middle of something.
    @Test func `a handler inherits nothing from whoever made it due`() async throws {
        let inner = Handler("inner") { context in
            let first = try await context.step("first") { Self.callers }
            return .complete(.string(first + Self.callers))
        }
        let waiting = Handler("waiting") { context in
            try await context.awaitEvent("go \(context.taskID)")
            return .complete(.string(try await context.step("first") { Self.callers }))
        }
        let once = SpawnOptions(maxAttempts: 1)
        let client = Mutex<AbsurdClient?>(nil)
        let outer = Handler("outer") { context in
            let task = try await context.step("spawn") {
                try await Self.$callers.withValue("mine") {
                    try await context.emitEvent("go \(try context.params(as: String.self))")
                    let ours = client.withLock(\.self)
                    let client = try #require(ours)
                    return try await client.spawn("inner", params: nil, options: once).taskID.description
                }
            }
            return .complete(.string(task))
        }
        // One worker that knows all of them: another would put off what it does not know.
        try await withIdleEngine([inner, waiting, outer], options: { $0.concurrency = 8 }) { engine in
            client.withLock { $0 = engine.client }
            try await noteClaims()
            try await untilClaimed(engine) {
                let waiter = try await engine.client.spawn("waiting", params: nil, options: once)
                try await engine.waitUntil(waiter.taskID, is: .sleeping)
                try await idle(engine)
                let task = try await engine.client.spawn(
                    "outer", params: .string(waiter.taskID.description), options: once)
                let id = try #require(Self.taskID(try await task.result(timeout: .seconds(60))))
                #expect(try await waiter.result(timeout: .seconds(60)) == "nobody's")
                #expect(try await engine.client.awaitTask(id).result == "nobody'snobody's")
                let isSpawned = try await isClaimed(id, "spawned")
                let isEmitted = try await isClaimed(waiter.taskID, "emitted")
                return isSpawned && isEmitted
            }
        }
    }

    private static func taskID(_ value: JSONValue) -> TaskID? {
        if case .string(let text) = value { TaskID(text) } else { nil }
    }

    @Test func `what is claimed so is reported, and counts as held`() async throws {
        let point = HoldPoint()
        let hold = Handler("hold") { _ in
            await point.arriveAndWait()
            return .complete
        }
        try await withIdleEngine([hold], options: { $0.concurrency = 2 }) { engine in
            let events = engine.pool.events()
            try await noteClaims()
            let task = try await engine.client.spawn("hold", params: nil)
            await point.untilArrived()
            #expect(try await isClaimed(task.taskID, "spawned"))
            #expect(engine.pool.workers[0].slots.map { $0.run?.taskID } == [task.taskID, nil])
            #expect(
                try await engine.run("claimed_by", of: task.taskID, as: String.self)
                    == engine.pool.workers[0].id)
            point.open()
            _ = try await task.result()
            var seen: [String] = []
            for await event in events {
                switch event.kind {
                case .claimed(let count): seen.append("claimed \(count)")
                case .started: seen.append("started")
                case .completed: seen.append("completed")
                default: continue
                }
                if seen.last == "completed" { break }
            }
            #expect(seen == ["claimed 1", "started", "completed"])
        }
    }

    @Test
    func `a slot is kept by an idle worker that knows the task, and given back when nothing comes of it`()
        async throws
    {
        try await withIdleEngine([echo], options: { $0.concurrency = 1 }) { engine in
            let wakeUps = engine.client.wakeUps
            #expect(wakeUps.reserveSlot(on: "default", for: "nobody's") == nil)
            #expect(wakeUps.reserveSlot(on: "elsewhere", for: "echo") == nil)
            var slot = wakeUps.reserveSlot(on: "default", for: "echo")
            #expect(slot != nil)
            #expect(wakeUps.reserveSlot(on: "default", for: "echo") == nil)
            slot = nil
            try await idle(engine)
            slot = wakeUps.reserveSlot(on: "default", for: nil)
            #expect(slot?.taskNames == ["echo"])
            slot = nil
            try await idle(engine)
            #expect(try await engine.client.spawn("echo", params: 1).result() == 1)
        }
    }

    @Test func `what the server refuses again and again is mostly sent without a claim`() async throws {
        try await withIdleEngine([echo]) { engine in
            let key = (0..<3000).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
            for _ in 0..<3 {
                try await idle(engine)
                let error = await #expect(throws: AbsurdError.self) {
                    try await engine.client.spawn(
                        "echo", params: nil, options: SpawnOptions(idempotencyKey: key))
                }
                #expect(error?.code == .rejected)
            }
            #expect(engine.client.wakeUps.reserveSlot(on: "default", for: "echo") == nil)
            #expect(engine.client.wakeUps.reserveSlot(on: "default", for: nil) != nil)
        }
    }

    @Test func `a caller that is cancelled before anything is sent leaves nothing in doubt`() async throws {
        try await withIdleEngine([echo]) { engine in
            // The first asks for the server's time as well.
            _ = try await engine.client.spawn("echo", params: 1).result()
            try await idle(engine)
            let pool = engine.client.pool
            try await withThrowingTaskGroup(of: Void.self) { group in
                let point = HoldPoint()
                defer { point.open() }
                for _ in 0..<6 {
                    group.addTask { try await pool.withConnection { _ in await point.arriveAndWait() } }
                }
                try await eventually("no connection is free") { pool.counts.inUse == 6 }
                let caller = Task { try await engine.client.spawn("echo", params: 1) }
                try await eventually("the caller waits for a connection") { pool.counts.waiting > 0 }
                caller.cancel()
                await #expect(throws: CancellationError.self) { try await caller.value }
            }
            try await idle(engine)
            #expect(engine.client.wakeUps.reserveSlot(on: "default", for: "echo") != nil)
        }
    }

    @Test func `the workers of a pool take turns`() async throws {
        let point = HoldPoint()
        let hold = Handler("hold") { _ in
            await point.arriveAndWait()
            return .complete
        }
        try await withIdleEngine([hold], options: { $0.concurrency = 4 }, workers: 2) { engine in
            defer { point.open() }
            for _ in 0..<4 { _ = try await engine.client.spawn("hold", params: nil) }
            #expect(engine.pool.workers.map { $0.slots.count { $0.run != nil } } == [2, 2])
        }
    }

    /// The answer finds a worker that takes nothing any more.
    @Test(arguments: [false, true])
    func `a run that is claimed while the worker ends is given back`(isForced: Bool) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let pool = try WorkerPool(
            client, handlers: [echo], options: sleepy)
        let keeper = try await TestDatabase.current.connect()
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await armed(client)
                try await keeper.execute(
                    script: """
                        alter function absurd_swift."start:default"(uuid, uuid, text, text, text, text, integer)
                          set lock_timeout = 0
                        """)
                try await noteClaims()
                try await keeper.execute(script: "begin; lock table absurd.t_default in share mode")
                async let spawned = client.spawn("echo", params: nil)
                try await TestDatabase.current.wait(
                    until: """
                        select exists (select from pg_stat_activity where wait_event_type = 'Lock'
                          and query like '%start:default%' and datname = current_database())
                        """)
                if isForced { pool.workers[0].endGracePeriod() }
                trigger.triggerGracefulShutdown()
                try await eventually("the worker takes nothing any more") {
                    client.wakeUps.reserveSlot(on: "default", for: "echo") == nil
                }
                try await keeper.execute(script: "commit")
                let task = try await spawned
                try await group.waitForAll()
                #expect(try await isClaimed(task.taskID, "spawned"))
                let row = try await client.pool.query(
                    "select state, attempt from absurd.r_default where task_id = $1",
                    [.uuid(task.taskID.uuid)])[0]
                #expect(try row.decode("state", as: String.self) == "pending")
                #expect(try row.decode("attempt", as: Int32.self) == 1)
            }
        }
        let left = try await client.pool.query("select count(*) from absurd_swift.workers")
        #expect(try left[0].decode(0, as: Int.self) == 0)
        await client.close()
    }

    @Test func `with the rights of a worker and no others it goes by the functions of the schema`()
        async throws
    {
        let owner = try makeClient()
        try await Role.make()
        try await owner.createQueue("default")
        let client = try Role.worker.client()
        let pool = try WorkerPool(
            client, handlers: [echo], options: sleepy)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            try await eventually("the worker is idle") {
                client.wakeUps.watched("default").watch.idleCount == 1
            }
            let engine = Engine(client: client, pool: pool, queue: "default")
            try await noteClaims()
            try await untilClaimed(engine) {
                let task = try await client.spawn("echo", params: 1)
                #expect(try await task.result(timeout: .seconds(60)) == 1)
                return try await isClaimed(task.taskID, "spawned")
            }
            try await eventually("the worker is idle") {
                client.wakeUps.watched("default").watch.idleCount == 1
            }
            #expect(client.wakeUps.reserveSlot(on: "default", for: "echo")?.manner == .schemaFunction)
            // As on a database with older functions.
            _ = try await owner.pool.query(
                "drop function absurd_swift.spawn_and_claim(text, uuid, uuid, text, text, text, text, integer)"
            )
            #expect(try await client.spawn("echo", params: 7).result(timeout: .seconds(60)) == 7)
            group.cancelAll()
        }
        for client in [owner, client] { await client.close() }
    }
}
