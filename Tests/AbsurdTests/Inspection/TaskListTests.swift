import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// The databases and layouts on which tasks are read.
enum Layout: CaseIterable, Sendable {
    case ours, oursPartitioned, official, officialPartitioned

    var contents: DatabaseTrait.Contents { self == .ours || self == .oursPartitioned ? .migrated : .official }
    var storage: StorageMode { self == .ours || self == .official ? .unpartitioned : .partitioned }

    /// Lends a client for a fresh database with one queue, whose name needs quoting.
    func withClient(_ body: (AbsurdClient) async throws -> Void) async throws {
        try await TestDatabase.with(contents) {
            let client = try makeClient()
            try await client.createQueue(Self.queue, storage: storage)
            try await body(client)
            await client.close()
        }
    }

    static let queue = #"Ä "quoted" it's; --"#
}

@Suite(.timeLimit(.minutes(10)))
struct TaskListTests {
    @Test(arguments: Layout.allCases)
    func `tasks are found by state, name, age and queue, newest first`(layout: Layout) async throws {
        try await layout.withClient { client in
            let queue = Layout.queue
            func spawn(_ name: String) async throws -> TaskID {
                try await client.spawn(name, params: nil, on: queue).taskID
            }
            func claim() async throws -> ClaimedRun {
                try await client.claimRuns(on: queue, workerID: "w")[0]
            }
            let completed = try await spawn("a")
            try await client.complete(try await claim(), result: 1)
            let failed = try await spawn("b")
            try await client.fail(try await claim(), TaskFailure("no", name: "Refusal", retry: .never))
            let sleeping = try await spawn("a")
            _ = try await client.awaitEvent("e", for: try await claim())
            let running = try await spawn("b")
            _ = try await claim()
            let pending = try await spawn("a")
            let cancelled = try await spawn("b")
            try await client.cancelTask(cancelled, on: queue)
            let all = [cancelled, pending, running, sleeping, failed, completed]

            let states: [TaskState] = [.cancelled, .pending, .running, .sleeping, .failed, .completed]
            let tasks = try await client.tasks()
            #expect(tasks.map(\.taskID) == all)
            #expect(tasks.map(\.state) == states)
            for (id, state) in zip(all, states) {
                #expect(try await client.tasks(matching: TaskFilter(states: [state])).map(\.taskID) == [id])
            }
            let two = TaskFilter(queue: queue, states: [.failed, .cancelled])
            #expect(try await client.tasks(matching: two).map(\.taskID) == [cancelled, failed])
            let named = TaskFilter(taskName: "a")
            #expect(try await client.tasks(matching: named).map(\.taskID) == [pending, sleeping, completed])
            var paged = TaskFilter()
            paged.limit = 2
            paged.before = running
            #expect(try await client.tasks(matching: paged).map(\.taskID) == [sleeping, failed])
            var recent = TaskFilter()
            recent.spawnedWithin = .hours(1)
            recent.spawnedSince = Date(timeIntervalSinceNow: -3600)
            #expect(try await client.tasks(matching: recent).count == 6)
            recent.spawnedWithin = .days(3_650_000)
            recent.spawnedSince = Date(timeIntervalSince1970: -1e30)
            #expect(try await client.tasks(matching: recent).count == 6)
            recent.spawnedSince = Date(timeIntervalSinceNow: 3600)
            #expect(try await client.tasks(matching: recent).isEmpty)
        }
    }

    @Test(arguments: Layout.allCases)
    func `a summary says when, where and why`(layout: Layout) async throws {
        try await layout.withClient { client in
            let queue = Layout.queue
            try await client.spawn(
                "t", params: nil, on: queue, options: SpawnOptions(maxAttempts: .unlimited))
            var task = try await client.tasks()[0]
            #expect(task.attempt == 1 && task.maxAttempts == .unlimited && task.startedAt == nil)
            #expect(task.dueAt == task.spawnedAt && task.queue == queue && task.taskName == "t")
            let run = try await client.claimRuns(on: queue, workerID: "w")[0]
            task = try await client.tasks()[0]
            #expect(
                task.workerID == "w" && task.claimExpiresAt != nil && task.startedAt != nil
                    && task.dueAt == nil)
            _ = try await client.awaitEvent("e", for: run)
            task = try await client.tasks()[0]
            #expect(task.awaitedEvent == "e" && task.dueAt == nil && task.workerID == nil)
            try await client.emitEvent("e", on: queue)
            let again = try await client.claimRuns(on: queue, workerID: "w")[0]
            try await client.fail(again, TaskFailure("out of stock", name: "Refusal", retry: .never))
            task = try await client.tasks()[0]
            #expect(task.failure == "Refusal: out of stock" && task.endedAt != nil)
        }
    }

    @Test func `a list needs a queue that is there and a limit that makes sense`() async throws {
        try await Layout.ours.withClient { client in
            let missing = await #expect(throws: AbsurdError.self) {
                try await client.tasks(matching: TaskFilter(queue: "nobody"))
            }
            #expect(missing?.code == .queueMissing)
            for limit in [Int.min, -1, 0, 1001, .max] {
                var filter = TaskFilter()
                filter.limit = limit
                let error = await #expect(throws: AbsurdError.self) {
                    try await client.tasks(matching: filter)
                }
                #expect(error?.code == .invalidArgument)
            }
        }
    }

    @Test func `tasks of more queues than one statement takes are merged`() async throws {
        try await TestDatabase.with(.migrated) {
            let client = try makeClient()
            var ids: [TaskID] = []
            for number in 0..<60 {
                try await client.createQueue("q\(number)")
                ids.append(try await client.spawn("t", params: nil, on: "q\(number)").taskID)
            }
            var filter = TaskFilter()
            filter.limit = 55
            #expect(
                try await client.tasks(matching: filter).map(\.taskID) == Array(ids.reversed().prefix(55)))
            for number in [0, 49, 50, 59] {
                #expect(try await client.locateTask(ids[number].uuid)?.queue == "q\(number)")
            }
            #expect(try await client.locateTask(UUID()) == nil)
            await client.close()
        }
    }

    @Test(
        arguments: [[], [.failed], [.cancelled], [.completed], [.pending, .sleeping]]
            as [Set<TaskState>])
    func `a list does not read the whole queue`(states: Set<TaskState>) async throws {
        try await TestDatabase.with(.migrated) {
            let client = try makeClient()
            try await client.createQueue("q")
            _ = try await client.query(
                """
                with ids as (select absurd.portable_uuidv7() as id from generate_series(1, 20000)),
                  tasks as (
                    insert into absurd.t_q (task_id, task_name, params, state, attempts, last_attempt_run)
                    select id, 't', 'null', 'completed', 1, id from ids)
                insert into absurd.r_q (run_id, task_id, attempt, state, available_at, completed_at)
                select id, id, 1, 'completed', now(), now() from ids
                """)
            try await client.spawnMany((0..<2000).map { _ in try SpawnRequest("t", params: nil, on: "q") })
            try await client.pool.withConnection {
                try await $0.execute(script: "analyze absurd.t_q, absurd.r_q")
            }
            let filter = TaskFilter(queue: "q", states: states)
            let plan = try await client.reading("q") { connection, tables in
                let statement = TaskListStatement(filter, tables: tables)
                return try await connection.query("explain " + statement.sql, statement.parameters)
                    .map { try $0.decode(0, as: String.self) }.joined(separator: "\n")
            }
            #expect(!plan.contains("Seq Scan"), "\(plan)")
            await client.close()
        }
    }
}
