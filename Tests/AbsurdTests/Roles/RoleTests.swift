import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// What each role can do.
@Suite(.timeLimit(.minutes(10)))
struct RoleTests {
    @Test(arguments: [DatabaseTrait.Contents.migrated, .official])
    func `producers and workers do all their work with their roles`(_ contents: DatabaseTrait.Contents)
        async throws
    {
        try await TestDatabase.with(contents) {
            let owner = try makeClient()
            try await Role.make()
            try await owner.createQueue("default")
            let worker = try Role.worker.client()
            let producer = try Role.producer.client()
            let child = Handler("child") { _ in .complete(5) }
            let parent = Handler("parent") { context in
                let one = try await context.step("one") { 1 }
                try await context.heartbeat(for: .hours(1))
                try await context.sleep(for: .milliseconds(1))
                let paid: Int = try await context.awaitEvent("paid")
                try await context.emitEvent("seen", paid)
                let five = try await context.result(of: context.spawn("child", params: nil))
                guard context.attempt == 2 else { throw TaskFailure("once more") }
                return .complete([.integer(Int64(one + paid)), five])
            }
            let pool = try WorkerPool(worker, handlers: [child, parent], options: testOptions())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                let task = try await producer.spawn(
                    "parent", params: nil, options: SpawnOptions(idempotencyKey: "key"))
                #expect(
                    try await producer.spawn(
                        "parent", params: nil, options: SpawnOptions(idempotencyKey: "key")
                    )
                    .taskID == task.taskID)
                try await producer.emitEvent("paid", 2)
                #expect(try await task.result(timeout: .seconds(60)) == [3, 5])
                #expect(try await task.snapshot()?.state == .completed)
                let unwanted = try await producer.spawn("nobody's", params: nil)
                #expect(try await unwanted.cancel() == .cancelled)
                try await producer.withTransaction { transaction in
                    _ = try await transaction.spawn("child", params: nil)
                }
                group.cancelAll()
            }
            // Without a right on the table workers get their trigger and their functions all the same.
            let made = try await owner.pool.query(
                """
                select (select count(*) from pg_proc where proname in ('claim:default', 'spawn:default')),
                  (select count(*) from pg_trigger where tgname = 'absurd_swift_wake')
                """)[0]
            #expect(try made.decode(0, as: Int.self) == 2)
            #expect(try made.decode(1, as: Int.self) == 1)
            for client in [owner, worker, producer] { await client.close() }
        }
    }

    @Test(.database(.migrated)) func `a worker by hand has its calls, and no others' runs`() async throws {
        let owner = try makeClient()
        try await Role.make()
        try await owner.createQueue("default")
        let worker = try Role.worker.client()
        for _ in 0..<4 { try await owner.spawn("t", params: nil) }
        let runs = try await worker.claimRuns(workerID: "w", limit: 4)
        try await worker.setCheckpoint("s", of: runs[0], to: 1)
        #expect(try await worker.checkpoints(of: runs[0]) == ["s": 1])
        #expect(try await worker.checkpoint("s", of: runs[0].info.taskID)?.value == 1)
        try await worker.extendClaim(runs[0], by: .minutes(5))
        try await worker.complete(runs[0], result: 1)
        try await worker.fail(runs[1], TaskFailure("no"))
        try await worker.schedule(runs[2], after: .hours(1))
        try await worker.release(runs[3])
        let error = await #expect(throws: AbsurdError.self) { try await worker.complete(runs[3], result: 1) }
        #expect(error?.code == .claimLost)
        for client in [owner, worker] { await client.close() }
    }

    @Test(.database(.migrated)) func `an operator keeps queues and tasks in order`() async throws {
        try await Role.make()
        let client = try Role.operator.client()
        for storage in [StorageMode.unpartitioned, .partitioned] {
            let queue = "q-\(storage)"
            try await client.createQueue(queue, storage: storage)
            var policy = QueuePolicyChange()
            policy.cleanupTTL = "0 days"
            try await client.setQueuePolicy(queue, policy)
            try await client.ensurePartitions(queue)
            let task = try await client.spawn("t", params: nil, on: queue)
            #expect(try await task.cancel() == .cancelled)
            #expect(try await client.tasks(matching: TaskFilter(queue: queue)).map(\.taskID) == [task.taskID])
            try await client.emitEvent("e", 1, on: queue)
            _ = try await client.cleanUp(queue, olderThan: .zero)
            _ = try await client.cleanUp()
            try await client.dropQueue(queue)
        }
        #expect(try await client.queues().isEmpty)
        await client.close()
    }

    @Test(.database(.migrated)) func `a viewer sees queues and tasks, also those made later`() async throws {
        try await Role.make()
        let owner = try makeClient()
        try await owner.createQueue("default")
        let task = try await owner.spawn("t", params: ["a": 1])
        let viewer = try Role.viewer.client()
        #expect(try await viewer.queues() == ["default"])
        #expect(try await viewer.queuePolicies().count == 1)
        #expect(try await viewer.tasks(matching: TaskFilter(queue: "default")).map(\.taskID) == [task.taskID])
        #expect(try await viewer.taskDetail(task.taskID, on: "default") != nil)
        let run = try #require(try await owner.claimRuns(workerID: "w").first)
        try await owner.setCheckpoint("s", of: run, to: 1)
        #expect(try await viewer.checkpoint("s", of: task.taskID)?.value == 1)
        for client in [owner, viewer] { await client.close() }
    }

    @Test(.database(.migrated)) func `migrate keeps the roles`() async throws {
        try await Role.make()
        let owner = try makeClient()
        try await owner.createQueue("default")
        _ = try await owner.migrate()
        let producer = try Role.producer.client()
        let task = try await producer.spawn("t", params: nil)
        #expect(try await task.snapshot()?.state == .pending)
        for client in [owner, producer] { await client.close() }
    }

    @Test(.database(.migrated)) func `a clock or a search path of the caller's own has no effect`()
        async throws
    {
        try await Role.make()
        let owner = try await TestDatabase.current.connect()
        try await owner.execute(
            script: """
                select absurd.create_queue('default');
                create schema evil;
                create function evil.make_interval(secs double precision) returns interval language sql
                  as 'select 1/0; select null::interval';
                create function evil.btrim(text) returns text language sql as 'select 1/0; select null::text';
                create function evil.cardinality(anyarray) returns integer language sql as 'select 1/0; select 0';
                grant usage on schema evil to absurd_worker;
                """)
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(
            script: """
                set role absurd_worker;
                set search_path = evil, pg_catalog;
                set absurd.fake_now = '2001-01-01';
                select * from absurd_swift.spawn('default', null, null, array['t'], array[null], array[null]);
                select * from absurd_swift.claim('default', 'w', 30, 1);
                """)
        let isNow: Bool = try await owner.query(
            "select started_at > now() - interval '1 hour' from absurd.r_default")[0].decode(0)
        #expect(isNow)
    }
}
