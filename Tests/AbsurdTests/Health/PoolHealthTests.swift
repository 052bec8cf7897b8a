import Absurd
import Foundation
import LibPQ
import Synchronization
import TestSupport
import Testing

/// The health of pools that run, looked at a little in the future where it would take long to turn.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct PoolHealthTests {
    private let later = Duration.seconds(10)

    private func code(_ health: PoolHealth) -> HealthProblem.Code? {
        if case .degraded(let problem) = health.status { problem.code } else { nil }
    }

    @Test func `a pool is not running, then ready, then ended`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        let pool = try WorkerPool(client, handlers: [], options: testOptions { $0.workers = 2 })
        #expect(code(pool.health) == .notRunning)
        #expect(!pool.health.isLive && !pool.health.isReady)
        #expect(pool.health.workers.map(\.phase) == [.notStarted, .notStarted])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            try await eventually("it is ready") { pool.health.isReady }
            #expect(pool.health.isLive && pool.health.problems.isEmpty)
            try await eventually("both are idle") { pool.health.workers.allSatisfy { $0.phase == .idle } }
            group.cancelAll()
        }
        #expect(code(pool.health) == .notRunning)
        #expect(pool.health.workers.map(\.phase) == [.ended, .ended])
        await client.close()
    }

    @Test func `an idle pool stays ready, because somebody looks for work`() async throws {
        try await withEngine([], configuration: { $0.fallbackInterval = .milliseconds(100) }) { engine in
            try await eventually { engine.pool.health.workers[0].phase == .idle }
            let watch = engine.client.wakeUps.watched("default").watch
            let turn = watch.lastTurn
            try await eventually("it looks again and again") { watch.lastTurn > turn + .milliseconds(300) }
            #expect(engine.pool.health.isReady)
            // Nine seconds without a look would be too many.
            #expect(code(engine.pool.health(at: .now + later)) == .threadsBlocked)
            // Only while it idles: one that polls, as through a pooler, claims in between.
            try await eventually("a look is missed") {
                engine.pool.health(at: .now + later).problems.contains { $0.code == .wakeUpsBlocked }
            }
        }
    }

    @Test func `claims that a lock keeps from their answer turn it red`() async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        _ = try await client.spawn("job", params: nil)
        let options = testOptions { $0.maxBackoff = .milliseconds(50) }
        let pool = try WorkerPool(client, handlers: [Handler("job") { _ in .complete }], options: options)
        func isBlocked() -> Bool {
            pool.health(at: .now + .seconds(10)).problems.contains { $0.code == .claimBlocked }
        }
        let blocker = try await TestDatabase.current.connect()
        try await withThrowingTaskGroup(of: Void.self) { group in
            try await blocker.withTransaction { blocker in
                _ = try await blocker.query("lock table absurd.t_default in access exclusive mode")
                group.addTask { try await pool.run() }
                try await eventually("claims are refused") { isBlocked() }
            }
            try await eventually("it recovers") { !isBlocked() }
            group.cancelAll()
        }
        await client.close()
    }

    @Test func `idle workers are to be looked for each poll interval while nobody listens, else much sooner`()
        async throws
    {
        let patient = testOptions { $0.pollInterval = .seconds(60) }
        @Sendable func isBlocked(_ engine: Engine, after seconds: Int) -> Bool {
            engine.pool.health(at: .now + .seconds(seconds)).problems.contains { $0.code == .wakeUpsBlocked }
        }
        // Not through a pooler, where nobody listens.
        if TestDatabase.current.pooledConnectionString == nil {
            try await withEngine([], options: patient) { engine in
                try await eventually { engine.pool.health.workers[0].phase == .idle }
                try await eventually("it listens") { isBlocked(engine, after: 10) }
                #expect(engine.client.wakeUps.watched("default").watch.lookInterval == .seconds(5))
            }
        }
        try await withEngine([], options: patient, configuration: { $0.listens = false }) { engine in
            try await eventually("it polls") {
                engine.client.wakeUps.watched("default").watch.lookInterval == .seconds(60)
            }
            #expect(!isBlocked(engine, after: 50))
            #expect(isBlocked(engine, after: 65))
        }
    }

    @Test func `what handlers record and a lock holds up turns it red`() async throws {
        let gate = HoldPoint()
        let handler = Handler("job") { context in
            await gate.arriveAndWait()
            try await context.step("one") { 1 }
            return .complete
        }
        try await withEngine([handler]) { engine in
            defer { gate.open() }
            _ = try await engine.client.spawn("job", params: nil)
            await gate.untilArrived()
            let blocker = try await TestDatabase.current.connect()
            try await blocker.withTransaction { blocker in
                _ = try await blocker.query("lock table absurd.c_default in access exclusive mode")
                gate.open()
                try await eventually("the checkpoint hangs") {
                    engine.pool.health(at: .now + .seconds(10)).problems.contains {
                        $0.code == .writerBlocked
                    }
                }
            }
            try await eventually("it recovers") {
                !engine.pool.health(at: .now + .seconds(10)).problems.contains { $0.code == .writerBlocked }
            }
        }
    }

    @Test func `connections that others keep turn it red`() async throws {
        let hold = HoldPoint()
        try await withEngine([], configuration: { $0.maxConnections = 1 }) { engine in
            defer { hold.open() }
            try await eventually { engine.pool.health.isReady }
            func message() -> String? {
                let problems = engine.pool.health(at: .now + .seconds(10)).problems
                return problems.first { $0.code == .connectionsExhausted }?.message
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await engine.client.pool.withConnection { _ in await hold.arriveAndWait() }
                }
                await hold.untilArrived()
                group.addTask { _ = try await engine.client.queuePolicies() }
                try await eventually("somebody waits") { message() != nil }
                #expect(message()?.hasPrefix("1 connections are in use; callers waiting: ") == true)
                let deep = await engine.pool.checkHealth(within: .milliseconds(100))
                #expect(deep.problems.contains { $0.code == .databaseUnreachable })
                hold.open()
                try await group.waitForAll()
            }
            try await eventually("it recovers") {
                await engine.pool.checkHealth(within: .seconds(20)).isReady
            }
        }
    }

    @Test func `a database that is away turns it red and leaves it live`() async throws {
        let isDown = Atomic<Bool>(true)
        let store = FakeStore { _ in
            if isDown.load(ordering: .relaxed) { throw PostgresError(.connectionLost, "the server is gone") }
            return []
        }
        let client = try AbsurdClient(AbsurdConfiguration("host=/nowhere"), logger: .quiet)
        let options = testOptions { $0.maxBackoff = .milliseconds(50) }
        let pool = try WorkerPool(client, queue: "default", handlers: [], options: options, store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            try await eventually("an outage is noticed") {
                code(pool.health(at: .now + .seconds(3))) == .databaseUnreachable
            }
            try await eventually("it is live all the same") { pool.health(at: .now + .seconds(3)).isLive }
            isDown.store(false, ordering: .relaxed)
            try await eventually("it recovers") { pool.health(at: .now + .seconds(3)).problems.isEmpty }
            #expect(pool.health.isReady)
            group.cancelAll()
        }
    }

    @Test func `a worker between two lives is told, with the reason`() async throws {
        struct Fault: Error, CustomStringConvertible { var description: String { "a fault" } }
        let store = FakeStore { _ in throw Fault() }
        let client = try AbsurdClient(AbsurdConfiguration("host=/nowhere"), logger: .quiet)
        let options = testOptions { $0.maxRestarts = 100 }
        let pool = try WorkerPool(client, queue: "default", handlers: [], options: options, store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            try await eventually("it is between two lives") {
                pool.health.problems.contains {
                    $0.code == .workerRestarting && $0.message.hasSuffix("started again after: a fault")
                }
            }
            try await eventually { pool.health.workers[0].restarts >= 1 }
            group.cancelAll()
        }
    }

    @Test func `a worker without room is ready, and its slots are counted`() async throws {
        let gate = HoldPoint()
        let handler = Handler("job") { _ in
            await gate.arriveAndWait()
            return .complete
        }
        try await withEngine([handler], options: testOptions { $0.concurrency = 1 }) { engine in
            defer { gate.open() }
            _ = try await engine.client.spawn("job", params: nil)
            await gate.untilArrived()
            try await eventually { engine.pool.health.workers[0].phase == .full }
            #expect(engine.pool.health.isReady)
            #expect(engine.pool.health.workers[0].slotsUsed == 1)
            #expect(engine.pool.health.workers[0].slotCount == 1)
        }
    }

    @Test func `as JSON it has the keys that are documented`() throws {
        let health = PoolHealth(
            queue: "q",
            problems: [HealthProblem(.claimBlocked, "worker w: no answer", workerID: "w")],
            isLive: true,
            workers: [
                WorkerHealth(
                    id: "w", phase: .claiming, duration: .milliseconds(1500), slotsUsed: 1, slotCount: 2,
                    restarts: 3)
            ])
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(health), as: UTF8.self)
        #expect(
            text == #"{"live":true,"problems":[{"code":"claim_blocked","message":"worker w: no answer","#
                + #""worker":"w"}],"queue":"q","ready":false,"status":"degraded","workers":[{"phase":"claiming","#
                + #""restarts":3,"seconds":1.5,"slots":2,"slots_used":1,"worker":"w"}]}"#)
    }
}
