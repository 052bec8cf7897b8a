import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// What health promises about time, on a clock that nobody moves.
@Suite(.database(.migrated), .tags(.realTime), .timeLimit(.minutes(10)))
struct RealTimeHealthTests {
    /// Each write of the handlers says that the database answers; the claims get nothing but refusals.
    @Test func `a lock that refuses all claims is told within ten seconds while handlers record`()
        async throws
    {
        let gate = HoldPoint()
        let handler = Handler("job") { context in
            gate.arrive()
            var count = 0
            while !gate.isOpen {
                count += 1
                let number = count
                try await context.step("step \(number)") { number }
                try await Task.sleep(for: .milliseconds(20))
            }
            return .complete
        }
        // The second slot is what the claims are for.
        let options = testOptions { $0.concurrency = 2 }
        try await withEngine([handler], options: options) { engine in
            defer { gate.open() }
            let task = try await engine.client.spawn("job", params: nil)
            await gate.untilArrived()
            let blocker = try await TestDatabase.current.connect()
            func isBlocked() -> Bool { engine.pool.health.problems.contains { $0.code == .claimBlocked } }
            try await blocker.withTransaction { blocker in
                // Claims share a lock on their worker's row; steps need none of the table.
                _ = try await blocker.query("lock table absurd_swift.workers in exclusive mode")
                // Not before: a claim could have it, and there would be no room to claim for.
                _ = try await engine.client.spawn("job", params: nil)
                let recorded = try await steps(of: task, engine)
                try await Task.sleep(for: .seconds(10))
                #expect(isBlocked(), "\(engine.pool.health.problems)")
                #expect(!engine.pool.health.isReady && engine.pool.health.isLive)
                #expect(try await steps(of: task, engine) > recorded)
            }
            try await eventually("it recovers") { !isBlocked() }
        }
    }

    @Test func `writes that hang are told within ten seconds`() async throws {
        let gate = HoldPoint()
        let handler = Handler("job") { context in
            await gate.arriveAndWait()
            try await context.step("one") { 1 }
            return .complete
        }
        try await withEngine([handler]) { engine in
            defer { gate.open() }
            let task = try await engine.client.spawn("job", params: nil)
            await gate.untilArrived()
            func isBlocked() -> Bool { engine.pool.health.problems.contains { $0.code == .writerBlocked } }
            try await TestDatabase.current.connect().withTransaction { blocker in
                _ = try await blocker.query("lock table absurd.c_default in access exclusive mode")
                gate.open()
                try await eventually("the checkpoint is under way") {
                    engine.pool.workers.contains { $0.pulse.writer?.busySince != nil }
                }
                try await Task.sleep(for: .seconds(10))
                #expect(isBlocked(), "\(engine.pool.health.problems)")
                #expect(!engine.pool.health.isReady && engine.pool.health.isLive)
            }
            _ = try await task.result(timeout: .seconds(60))
            try await eventually("it recovers") { !isBlocked() }
        }
    }

    @Test func `connections that nobody gives back are told within ten seconds`() async throws {
        let hold = HoldPoint()
        try await withEngine([], configuration: { $0.maxConnections = 2 }) { engine in
            defer { hold.open() }
            let pool = engine.client.pool
            func isBlocked() -> Bool {
                engine.pool.health.problems.contains { $0.code == .connectionsExhausted }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...2 {
                    group.addTask { try await pool.withConnection { _ in await hold.arriveAndWait() } }
                }
                try await eventually("all are lent") { pool.counts.inUse == 2 }
                group.addTask { _ = try await engine.client.queues() }
                try await eventually("somebody waits") { pool.counts.waiting > 0 }
                try await Task.sleep(for: .seconds(10))
                #expect(isBlocked(), "\(engine.pool.health.problems)")
                #expect(!engine.pool.health.isReady && engine.pool.health.isLive)
                hold.open()
                try await group.waitForAll()
            }
            try await eventually("it recovers") { !isBlocked() }
        }
    }

    private func steps(of task: TaskHandle<JSONValue>, _ engine: Engine) async throws -> Int {
        try await engine.rows(
            "select count(*) from absurd.c_default where task_id = $1", [.uuid(task.taskID.uuid)])[0].decode(
                0)
    }
}

extension Tag {
    /// Waits for seconds, because time is what it is about.
    @Tag static var realTime: Self
}
