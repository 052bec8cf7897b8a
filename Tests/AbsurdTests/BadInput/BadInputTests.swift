import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// Every public call of the client with names, numbers, times, ids and documents that nobody should pass.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct BadInputTests {
    static let unknown = TaskID(UUID(uuidString: "019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d") ?? UUID())

    private static let longest = Duration.days(3_652_500)

    /// A nanosecond may be over before the first look.
    private static func waiting(_ duration: Duration) -> BadInput.Answer? {
        duration == .nanoseconds(1) ? nil : BadInput.answer(duration, longest: longest)
    }

    private func transactionCalls(
        _ name: String
    ) -> [(String, @Sendable (Transaction) async throws -> Void)] {
        [
            ("spawn", { _ = try await $0.spawn(name, params: [name: .string(name)]) }),
            ("spawn on", { _ = try await $0.spawn("t", params: nil, on: name) }),
            ("emit", { try await $0.emitEvent(name, name) }),
            ("emit on", { try await $0.emitEvent("e", 1, on: name) }),
            (
                "execute",
                { transaction in
                    let count = try await transaction.execute("select $1::text", name)
                    #expect(count == 1)
                }
            ),
        ]
    }

    @Test func `any name works or is refused with one clear error`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            let task = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "w", claimTimeout: .hours(1)).first)
            for name in BadInput.names {
                let label = "\(name.prefix(20).debugDescription)"
                await scene.attempt("createQueue \(label)", is: BadInput.queueName(name)) {
                    try await client.createQueue(name)
                    #expect(try await client.queues().contains(name))
                    let child = try await client.spawn(name, params: .string(name), on: name)
                    #expect(
                        try await client.tasks(matching: TaskFilter(queue: name)).map(\.taskName) == [name])
                    #expect(try await client.locateTask(child.taskID.uuid) != nil)
                    try await client.emitEvent(name, name, on: name)
                    #expect(try await client.claimRuns(on: name, workerID: "w").count == 1)
                    try await client.dropQueue(name)
                }
                await scene.attempt("queuePolicy \(label)", is: BadInput.queueName(name)) {
                    _ = try await client.queuePolicy(name)
                }
                await scene.attempt("setQueuePolicy \(label)", is: BadInput.queueName(name, missing: true)) {
                    try await client.setQueuePolicy(name, QueuePolicyChange())
                }
                await scene.attempt("ensurePartitions \(label)") { try await client.ensurePartitions(name) }
                await scene.attempt("cleanUp \(label)", is: BadInput.queueName(name, missing: true)) {
                    _ = try await client.cleanUp(name)
                }
                await scene.attempt("cleanUp older \(label)") {
                    _ = try await client.cleanUp(name, olderThan: .days(1))
                }
                await scene.attempt("dropQueue \(label)") {
                    try await client.dropQueue(name == "default" ? "x" : name)
                }
                await scene.attempt("spawn on \(label)", is: BadInput.queueName(name, missing: true)) {
                    try await client.spawn("t", params: nil, on: name)
                }
                await scene.attempt("emit on \(label)", is: BadInput.queueName(name, missing: true)) {
                    try await client.emitEvent("e", 1, on: name)
                }
                await scene.attempt("claim on \(label)", is: BadInput.queueName(name, missing: true)) {
                    _ = try await client.claimRuns(on: name, workerID: "w")
                }
                await scene.attempt("task on \(label)") { _ = try await client.task(Self.unknown, on: name) }
                await scene.attempt("cancel on \(label)") {
                    try await client.cancelTask(Self.unknown, on: name)
                }
                await scene.attempt("retry on \(label)") {
                    try await client.retryTask(Self.unknown, on: name)
                }
                await scene.attempt("detail on \(label)") {
                    _ = try await client.taskDetail(Self.unknown, on: name)
                }
                await scene.attempt("list of \(label)", is: BadInput.queueName(name, missing: true)) {
                    _ = try await client.tasks(matching: TaskFilter(queue: name))
                }
                await scene.attempt("worker of \(label)") {
                    _ = try WorkerPool(client, queue: name, handlers: [])
                }
                await scene.attempt("registered workers of \(label)") {
                    let workers = try await client.workers(on: name)
                    #expect(workers.isEmpty)
                }
                await scene.attempt("workerLost \(label)") {
                    let runs = try await client.workerLost(name)
                    #expect(runs == 0)
                }
                await scene.attempt("processLost \(label)") {
                    let runs = try await client.processLost(name)
                    #expect(runs == 0)
                }
                await scene.attempt("list by name \(label)") {
                    let filter = TaskFilter(queue: "default", taskName: name + "?")
                    let tasks = try await client.tasks(matching: filter)
                    #expect(tasks.isEmpty)
                }
                await scene.attempt("spawnMany \(label)") {
                    let made = try await client.spawnMany([
                        SpawnRequest(name, params: 1), SpawnRequest("t", params: [name: .string(name)]),
                    ])
                    #expect(made.count == 2)
                }
                await scene.attempt(
                    "spawnMany on \(label)", is: BadInput.queueName(name, missing: true)
                ) {
                    _ = try await client.spawnMany([
                        SpawnRequest("t", params: 1), SpawnRequest("t", params: 1, on: name),
                    ])
                }
                for (what, call) in transactionCalls(name) {
                    await scene.attempt("\(what) in a transaction \(label)") {
                        try await client.withTransaction { try await call($0) }
                    }
                }
                await scene.attempt("handler \(label)") {
                    _ = try WorkerPool(client, handlers: [Handler(name) { _ in .complete }])
                }
                await scene.attempt("spawn \(label)") {
                    let options = SpawnOptions(idempotencyKey: name)
                    let made = try await client.spawn(name, params: [name: .string(name)], options: options)
                    #expect(try await client.taskDetail(made.taskID, on: "default")?.summary.taskName == name)
                }
                await scene.attempt("emit \(label)") { try await client.emitEvent(name, name) }
                await scene.attempt("worker id \(label)") {
                    _ = try await client.claimRuns(workerID: name, limit: 1)
                }
                await scene.attempt("checkpoint \(label)") {
                    let kept = try await client.setCheckpoint(name, of: run, to: .string(name))
                    let stored = try await client.checkpoint(name, of: task.taskID)
                    #expect(kept == .string(name) && stored?.value == kept)
                }
                await scene.attempt("awaitEvent \(label)") {
                    _ = try await client.awaitEvent(name, for: run, step: name, timeout: .zero)
                }
            }
        }
    }

    @Test func `any length of time works or is refused with one clear error`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            for duration in BadInput.durations {
                let label = "\(duration)"
                func run() async throws -> ClaimedRun {
                    try await client.spawn("t", params: nil)
                    return try #require(try await client.claimRuns(workerID: "w", limit: 1).first)
                }
                var held = try await run()
                await scene.attempt("extendClaim \(label)", is: BadInput.answer(duration, zero: .invalid)) {
                    try await client.extendClaim(held, by: duration)
                }
                await scene.attempt("setCheckpoint \(label)", is: BadInput.answer(duration)) {
                    try await client.setCheckpoint("s", of: held, to: 1, claimTimeout: duration)
                }
                await scene.attempt("schedule \(label)", is: BadInput.answer(duration, longest: Self.longest))
                {
                    try await client.schedule(held, after: duration)
                }
                held = try await run()
                await scene.attempt(
                    "awaitEvent \(label)", is: BadInput.answer(duration, longest: Self.longest)
                ) {
                    _ = try await client.awaitEvent("never", for: held, timeout: duration)
                }
                held = try await run()
                await scene.attempt("fail after \(label)") {
                    try await client.fail(held, TaskFailure("no", retry: .after(duration)))
                }
                await scene.attempt("claim \(label)", is: BadInput.answer(duration)) {
                    _ = try await client.claimRuns(workerID: "w", claimTimeout: duration)
                }
                await scene.attempt("clean up \(label)", is: BadInput.answer(duration)) {
                    _ = try await client.cleanUp("default", olderThan: duration)
                }
                await scene.attempt("fixed \(label)", is: BadInput.answer(duration, longest: .days(1))) {
                    try await client.spawn("t", params: nil, options: SpawnOptions(retry: .fixed(duration)))
                }
                await scene.attempt("exponential \(label)", is: BadInput.answer(duration, longest: .days(1)))
                {
                    try await client.spawn(
                        "t", params: nil,
                        options: SpawnOptions(retry: .exponential(base: duration, cap: duration)))
                }
                await scene.attempt("policy \(label)", is: BadInput.answer(duration, zero: nil)) {
                    let policy = CancellationPolicy(startWithin: duration, endWithin: duration)
                    try await client.spawn("t", params: nil, options: SpawnOptions(cancellation: policy))
                }
                await scene.attempt(
                    "awaitTask \(label)", is: Self.waiting(duration)
                ) {
                    let task = try await client.spawn("t", params: nil)
                    try await task.cancel()
                    #expect(try await client.awaitTask(task.taskID, timeout: duration).state == .cancelled)
                }
                await scene.attempt("list within \(label)") {
                    var filter = TaskFilter(queue: "default")
                    filter.spawnedWithin = duration
                    _ = try await client.tasks(matching: filter)
                }
                await scene.attempt("result \(label)", is: Self.waiting(duration)) {
                    // Ended, so that a long wait is over at once.
                    let task = try await client.spawn("t", params: nil)
                    try await task.cancel()
                    do { _ = try await task.result(timeout: duration) } catch is TaskFailure {}
                }
            }
            for date in [
                Date.distantPast, .distantFuture, Date(timeIntervalSince1970: .nan),
                Date(timeIntervalSince1970: 1e300),
            ] {
                await scene.attempt("fail at \(date.timeIntervalSince1970)") {
                    try await client.spawn("t", params: nil)
                    let held = try #require(try await client.claimRuns(workerID: "w", limit: 1).first)
                    try await client.fail(held, TaskFailure("no", retry: .at(date)))
                }
                await scene.attempt("list since \(date.timeIntervalSince1970)") {
                    var filter = TaskFilter(queue: "default")
                    filter.spawnedSince = date
                    _ = try await client.tasks(matching: filter)
                }
            }
        }
    }

    @Test func `any number works or is refused with one clear error`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            for count in BadInput.counts {
                await scene.attempt("claim \(count)") {
                    _ = try await client.claimRuns(workerID: "w", limit: count)
                }
                await scene.attempt("attempts \(count)") {
                    try await client.spawn(
                        "t", params: nil, options: SpawnOptions(maxAttempts: .attempts(count)))
                }
                await scene.attempt("retry \(count)") {
                    let task = try await client.spawn("t", params: nil, options: SpawnOptions(maxAttempts: 1))
                    let runs = try await client.claimRuns(workerID: "w", limit: 100)
                    for run in runs { try await client.fail(run, TaskFailure("no", retry: .never)) }
                    try await client.retryTask(task.taskID, maxAttempts: count)
                }
                await scene.attempt("list \(count)") {
                    var filter = TaskFilter(queue: "default")
                    filter.limit = count
                    _ = try await client.tasks(matching: filter)
                }
                await scene.attempt("options \(count)") {
                    for change in [\WorkerOptions.workers, \.concurrency, \.maxRestarts] {
                        var options = WorkerOptions()
                        options[keyPath: change] = count
                        // Made only where it is refused: a pool of a billion slots is what it says.
                        do { try options.validate() } catch let error as AbsurdError {
                            #expect(error.code == .invalidConfiguration)
                        }
                    }
                }
            }
        }
    }

    @Test func `timeouts of the configuration are within their limits or refused by name`() async throws {
        for duration in BadInput.durations {
            for (name, path) in [
                ("statementTimeout", \AbsurdConfiguration.statementTimeout),
                ("connectTimeout", \.connectTimeout),
            ] {
                var configuration = AbsurdConfiguration(TestDatabase.current.connectionString)
                configuration[keyPath: path] = duration
                guard duration < .seconds(1) || duration > .days(365) else {
                    try await withAbsurd(configuration, logger: .quiet) { _ = try await $0.query("select 1") }
                    continue
                }
                let error = #expect(throws: AbsurdError.self) {
                    try AbsurdClient(configuration, logger: .quiet)
                }
                #expect(
                    error?.message == "\(name) must be from one second to 365 days, and is \(duration)")
            }
            let client = try makeClient()
            let pool = try WorkerPool(client, handlers: [Handler("t") { _ in .complete }])
            #expect(await pool.checkHealth(within: duration).problems.contains { $0.code == .notRunning })
            await client.close()
        }
    }

    @Test func `any document comes back as it was or is refused with one clear error`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            for (number, document) in BadInput.documents.enumerated() {
                await scene.attempt("spawn \(number)", is: BadInput.answer(document)) {
                    let task = try await client.spawn("t", params: document)
                    let run = try #require(
                        try await client.claimRuns(workerID: "w", limit: 100).first {
                            $0.info.taskID == task.taskID
                        })
                    #expect(try run.params(as: JSONValue.self) == document)
                    try await client.complete(run, result: document)
                    #expect(try await task.result(timeout: .seconds(60)) == document)
                }
                await scene.attempt("emit \(number)", is: BadInput.answer(document)) {
                    try await client.emitEvent("e\(number)", document)
                }
                await scene.attempt("header \(number)") {
                    try await client.spawn("t", params: nil, options: SpawnOptions(headers: ["h": document]))
                }
                try await client.spawn("t", params: nil)
                let run = try #require(try await client.claimRuns(workerID: "w", limit: 1).first)
                await scene.attempt("checkpoint \(number)", is: BadInput.answer(document)) {
                    let kept = try await client.setCheckpoint("s", of: run, to: document)
                    #expect(kept == document)
                }
                await scene.attempt("fail \(number)") {
                    try await client.fail(run, TaskFailure("no", details: ["d": document], retry: .never))
                }
            }
        }
    }

    @Test func `a document of 100 MB goes through, or is refused with one clear error`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            let large = String(repeating: "0123456789", count: 10_000_000)
            await scene.attempt("100 MB") {
                let task = try await client.spawn("t", params: .string(large))
                let run = try #require(try await client.claimRuns(workerID: "w").first)
                #expect(run.info.taskID == task.taskID)
                #expect(try run.params(as: String.self).utf8.count == 100_000_000)
                try await client.complete(run, result: 1)
            }
        }
    }

    @Test func `after a refused statement a transaction can only be rolled back`() async throws {
        try await BadInputScene.with { scene async throws in
            let error = await #expect(throws: AbsurdError.self) {
                try await scene.client.withTransaction { transaction in
                    _ = try await transaction.spawn("never", params: nil)
                    do {
                        try await transaction.execute("select $1::integer", "no number")
                        Issue.record("text went through as a number")
                    } catch let error as AbsurdError {
                        #expect(error.code == .rejected)
                    }
                    _ = try await transaction.spawn("never", params: nil)
                }
            }
            #expect(error?.code == .database && error?.sqlState == "25P02")
            #expect(try await scene.client.tasks(matching: TaskFilter(queue: "default")).isEmpty)
        }
    }

    @Test func `ids that nobody has are unknown to every call`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            let ids = [Self.unknown.uuid, UUID(), UUID(uuid: UUID_NULL)].map { TaskID($0) }
            for id in ids {
                #expect(try await client.task(id) == nil)
                #expect(try await client.taskDetail(id, on: "default") == nil)
                #expect(try await client.locateTask(id.uuid) == nil)
                #expect(try await client.checkpoint("s", of: id) == nil)
                let calls: [() async throws -> Void] = [
                    { try await client.cancelTask(id) }, { try await client.retryTask(id) },
                    { try await client.retryTaskAsNew(id) },
                    { _ = try await client.awaitTask(id, timeout: .seconds(60)) },
                ]
                for call in calls {
                    let error = await #expect(throws: AbsurdError.self) { try await call() }
                    #expect(error?.code == .taskMissing)
                }
            }
        }
    }
}

private let UUID_NULL: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
