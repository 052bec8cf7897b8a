import Foundation
import LibPQ
import TestSupport
import Testing

/// Our batches against transactions of official functions that lock the same rows in the opposite order.
///
/// Ours gives way before the server has to look for a deadlock, so the server never counts one.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionDeadlockTests {
    private static let count = 12

    /// A call of our schema with several rows.
    enum Batch: String, CaseIterable, Sendable {
        case complete, onlyComplete, fail, sleep, checkpoint, renew, awaitEvent, awaitTask, emit
    }

    /// What a foreign transaction does to many tasks, one after the other.
    enum Foreign: String, CaseIterable, Sendable {
        case emitEvent, awaitEvent, completeRun, cancelTask
    }

    /// Runs that are claimed, and tasks that wait for the events `event 0`, `event 1` and so on.
    private struct Scene {
        var queue: ExtensionQueue
        var claims: [ExtensionQueue.Claim]
        var parked: [ExtensionQueue.Claim]

        init(_ queue: ExtensionQueue) async throws {
            self.queue = queue
            // Ids in an order of their own: the tasks' order is the opposite of the runs'.
            let count = ExtensionDeadlockTests.count
            let ids = try await queue.connection.query(
                "select absurd.portable_uuidv7() as id from generate_series(1, $1) order by 1",
                [.int(Int64(4 * count))]
            ).map { try $0.decode("id", as: UUID.self) }
            try await queue.run(
                "select absurd_swift.spawn($1, $2, $3, $4, $5, $6)",
                [
                    .text(queue.name), .uuidArray(ids[..<(2 * count)].reversed()),
                    .uuidArray(Array(ids[(2 * count)...])),
                    .textArray(Array(repeating: "task", count: 2 * count)),
                    .textArray(Array(repeating: "{}", count: 2 * count)),
                    .textArray(Array(repeating: nil, count: 2 * count)),
                ])
            let all = try await queue.claim(limit: Int64(2 * count), timeout: 3600)
            claims = Array(all[..<count])
            parked = Array(all[count...])
            let answers = try await queue.awaitEvent(
                parked.indices.map { (parked[$0], "wait", Self.event($0)) })
            #expect(Set(answers.map(\.answer)) == ["parked"])
        }

        static func event(_ index: Int) -> String { "event \(index % 4)" }
    }

    @Test(arguments: Foreign.allCases, QueueVariant.unpartitioned)
    func `the server never counts a deadlock with a transaction of official functions`(
        _ foreign: Foreign, _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let before = try await deadlocks()
            let other = try await queue.elsewhere()
            for (round, batch) in (Batch.allCases + Batch.allCases).enumerated() {
                let scene = try await Scene(queue)
                let isReversed = round < Batch.allCases.count
                try await race(batch, foreign, isReversed: isReversed, in: scene, other)
                // What is left is not in the next round's way.
                try await queue.run("select absurd.drop_queue($1)", [.text(queue.name)])
                try await queue.create(variant.storageMode)
            }
            await other.connection.close()
            await queue.connection.close()
            try await untilAlone()
            #expect(try await deadlocks() == before)
        }
    }

    @Test(.database(.migrated)) func `a deadlock would be counted`() async throws {
        let before = try await deadlocks()
        let sessions = [try await TestDatabase.current.connect(), try await TestDatabase.current.connect()]
        try await sessions[0].execute(
            script: "create table held (n integer primary key); insert into held values (1), (2)")
        let update = "update held set n = n where n = $1"
        for (index, session) in sessions.enumerated() {
            try await session.execute(script: "begin")
            try await session.query(update, [.int(Int64(index + 1))])
        }
        async let first = sessions[0].query(update, [.int(2)])
        async let second = sessions[1].query(update, [.int(1)])
        let results = [try? await first, try? await second]
        #expect(results.count { $0 == nil } == 1)
        for session in sessions { await session.close() }
        try await untilAlone()
        #expect(try await deadlocks() == before + 1)
    }

    /// Our call comes while the foreign transaction is half way.
    private func race(
        _ batch: Batch, _ foreign: Foreign, isReversed: Bool, in scene: Scene, _ other: ExtensionQueue
    ) async throws {
        let calls = Self.calls(foreign, scene)
        let order = isReversed ? calls.reversed() : calls
        try await other.connection.execute(script: "begin")
        for (sql, parameters) in order[..<(calls.count / 2)] { try await call(sql, parameters, other) }
        async let answers = send(batch, scene)
        // Until ours waits for the other, unless it need not. Only makes the collision likely.
        for _ in 0..<10 {
            if try await isBlocked(scene.queue) { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        for (sql, parameters) in order[(calls.count / 2)...] { try await call(sql, parameters, other) }
        try await other.connection.execute(script: "commit")
        let allowed: Set<String> = [
            "done", "stored", "renewed", "parked", "received", "emitted", "known", "repeated", "lost",
            "cancelled", "failed",
        ]
        let unexpected = Set(try await answers).subtracting(allowed)
        #expect(unexpected.isEmpty, "\(batch) against \(foreign)")
    }

    /// One call of the foreign transaction, which goes on when the call is refused for what ours has done.
    private func call(_ sql: String, _ parameters: [SQLParameter], _ other: ExtensionQueue) async throws {
        try await other.connection.execute(script: "savepoint one")
        do {
            try await other.run(sql, parameters)
        } catch let error as PostgresError where !["55P03", "40P01"].contains(error.sqlState) {
            try await other.connection.execute(script: "rollback to one")
        }
    }

    private static func calls(_ foreign: Foreign, _ scene: Scene) -> [(String, [SQLParameter])] {
        let queue = SQLParameter.text(scene.queue.name)
        switch foreign {
        case .emitEvent:
            return (0..<4).map {
                ("select absurd.emit_event($1, $2, '1')", [queue, .text(Scene.event($0))])
            }
        case .awaitEvent:
            return scene.claims.enumerated().map { index, claim in
                (
                    "select * from absurd.await_event($1, $2, $3, 'foreign', $4)",
                    [queue, .uuid(claim.task), .uuid(claim.run), .text(Scene.event(index))]
                )
            }
        case .completeRun:
            return scene.claims.map {
                ("select absurd.complete_run($1, $2, '1')", [queue, .uuid($0.run)])
            }
        case .cancelTask:
            return (scene.claims + scene.parked).map {
                ("select absurd.cancel_task($1, $2)", [queue, .uuid($0.task)])
            }
        }
    }

    private func send(_ batch: Batch, _ scene: Scene) async throws -> [String] {
        let (queue, claims) = (scene.queue, scene.claims)
        switch batch {
        case .complete, .fail, .sleep:
            return try await givingWay(claims) { claims, wait in
                try await queue.finish(
                    claims.map { .init($0, batch.rawValue, "1", delay: batch == .sleep ? 60 : nil) },
                    wait: wait)
            }
        case .onlyComplete:
            return try await givingWay(claims) { claims, wait in
                // What conflicts goes on as one of several ends.
                wait
                    ? try await queue.complete(claims.map { ($0, "1") })
                    : try await queue.finish(claims.map { .init($0, "complete", "1") }, wait: false)
            }
        case .checkpoint:
            return try await givingWay(claims) { claims, wait in
                try await queue.checkpoint(
                    claims.map { ($0, "step", "1") }, renewing: 7200, wait: wait)
            }
        case .renew:
            return try await givingWay(claims) { try await queue.renew($0, timeout: 7200, wait: $1) }
        case .awaitEvent:
            return try await givingWay(Array(claims.enumerated())) { claims, wait in
                try await queue.awaitEvent(
                    claims.map { ($0.element, "step", Scene.event($0.offset)) }, wait: wait)
            }
        case .awaitTask:
            return try await givingWay(Array(zip(claims, scene.parked))) { claims, wait in
                try await queue.awaitTask(claims.map { ($0, "step", $1.task) }, wait: wait)
            }
        case .emit:
            return try await givingWay((0..<4).map(Scene.event)) { events, _ in
                try await queue.emitTogether(events.map { ($0, "1") })
            }
        }
    }

    private func isBlocked(_ queue: ExtensionQueue) async throws -> Bool {
        let pid = queue.connection.backendPID
        let rows = try await TestDatabase.current.observingConnection().query(
            "select cardinality(pg_blocking_pids($1::integer)) > 0", [.int(Int64(pid))])
        return try rows[0].decode(0)
    }

    /// Waits until the other sessions have ended: at the latest then they have handed in their counts.
    private func untilAlone() async throws {
        try await eventually("the sessions have ended") {
            try await TestDatabase.current.sessionCount() == 0
        }
    }

    /// How many deadlocks the server has met in this database.
    private func deadlocks() async throws -> Int {
        let rows = try await TestDatabase.current.observingConnection().query(
            "select deadlocks from pg_stat_database where datname = current_database()")
        return try rows[0].decode(0)
    }
}
