import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// A statement whose answer never came is sent again, and counts once.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct ResendTests {
    @Test(arguments: [LosingStore.Moment.before, .after])
    func `every kind of write survives a lost connection, and nothing is done twice`(
        _ moment: LosingStore.Moment
    ) async throws {
        let bodies = Mutex(0)
        let parent = Handler("parent") { context in
            let value = try await context.step("charge") {
                bodies.withLock { $0 += 1 }
                return 7
            }
            try await context.heartbeat(for: .seconds(300))
            try await context.sleep(for: .milliseconds(30))
            let paid: Int = try await context.awaitEvent("paid")
            let child = try await context.spawn("child", params: .integer(Int64(value)))
            let result = try await context.result(of: child)
            guard context.attempt == 2 else { return .fail(["reason": "once more"]) }
            return .complete([.integer(Int64(value + paid)), result])
        }
        let point = HoldPoint()
        let child = Handler("child") { context in
            await point.arriveAndWait()
            return .complete(try context.params(as: JSONValue.self))
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let store = LosingStore(PostgresRunStore(pool: client.pool), moment)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [parent, child], options: testOptions(), store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { point.open() }
            group.addTask { try await pool.run() }
            let task = try await client.spawn("parent", params: nil)
            try await eventually("the task waits for its event") {
                try await client.pool.query("select 1 from absurd.w_default").count == 1
            }
            try await client.emitEvent("paid", 3)
            await point.untilArrived()
            try await eventually("the parent waits for its child") {
                try await client.pool.query("select 1 from absurd_swift.result_waits").count == 1
            }
            point.open()
            #expect(try await task.result(timeout: .seconds(60)) == [10, 7])
            group.cancelAll()
        }
        #expect(bodies.withLock(\.self) == 1)
        #expect(
            Set(store.losses.keys).isSuperset(of: [
                "claim", "give back", "load", "complete", "fail", "sleep", "checkpoint", "renew",
                "look for event", "park on event",
                "look at task", "park on task",
            ]))
        // The parent with two attempts, the child with one, and no run more.
        let rows = try await client.pool.query("select state from absurd.r_default order by state")
        #expect(try rows.map { try $0.decode(0, as: String.self) } == ["completed", "completed", "failed"])
        await client.close()
    }

    @Test func `callers of one client whose connection is killed under a batch spawn each task once`()
        async throws
    {
        let client = try makeClient()
        try await client.createQueue("default")
        _ = try await client.spawn("warm-up", params: nil)
        let blocker = try await TestDatabase.current.connect()
        try await blocker.execute(script: "begin; lock table absurd.t_default in exclusive mode")
        try await withThrowingTaskGroup(of: TaskID.self) { group in
            for _ in 0..<20 { group.addTask { try await client.spawn("counted", params: nil).taskID } }
            try await TestDatabase.current.wait(
                until: """
                    select exists (select from pg_stat_activity
                      where wait_event_type = 'Lock' and query like '%absurd_swift.spawn%'
                        and datname = current_database())
                    """)
            _ = try await blocker.query(
                """
                select pg_terminate_backend(pid, 60000) from pg_stat_activity
                where query like '%absurd_swift.spawn%' and pid <> pg_backend_pid()
                  and datname = current_database()
                """)
            try await blocker.execute(script: "commit")
            var tasks: Set<TaskID> = []
            for try await task in group { tasks.insert(task) }
            #expect(tasks.count == 20)
        }
        let rows = try await client.pool.query(
            "select count(*) from absurd.t_default where task_name = 'counted'")
        #expect(try rows[0].decode(0, as: Int.self) == 20)
        await client.close()
    }
}
