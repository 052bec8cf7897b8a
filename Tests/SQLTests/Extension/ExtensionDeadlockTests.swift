import Foundation
import LibPQ
import TestSupport
import Testing

/// Our batches against transactions of official functions that lock the same rows in the opposite order.
///
/// Ours gives way before the server has to look for a deadlock, so the server never counts one.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionDeadlockTests {
    /// By the text of the statements, and by the queue's own functions, whose plans were made when it was empty.
    @Test(
        arguments: ForeignTransaction.allCases,
        QueueVariant.unpartitioned.flatMap { variant in [false, true].map { (variant, $0) } })
    func `the server never counts a deadlock with a transaction of official functions`(
        _ foreign: ForeignTransaction, _ place: (variant: QueueVariant, isPlanned: Bool)
    ) async throws {
        try await place.variant.withQueue { queue in
            let before = try await deadlocks()
            try await queue.register("w")
            if place.isPlanned { try await queue.makeMissingFunctions() }
            let other = try await queue.elsewhere()
            for batch in CollidingBatch.all(isPlanned: place.isPlanned) {
                for isReversed in [false, true] {
                    try await expectCollision(batch, foreign, isReversed: isReversed, queue, other)
                }
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

    /// Races until the two have met as they can.
    ///
    /// Ours waits only 200 ms at a time, so on a busy machine the other may come too late for a cycle, once or twice.
    private func expectCollision(
        _ batch: CollidingBatch, _ foreign: ForeignTransaction, isReversed: Bool, _ queue: ExtensionQueue,
        _ other: ExtensionQueue
    ) async throws {
        let expected = batch.collision(with: foreign, isReversed: isReversed)
        try await eventually("\(batch) and \(foreign), reversed: \(isReversed): \(expected)") {
            let scene = try await CollisionScene(queue)
            let calls = foreign.calls(scene)
            let order = isReversed ? calls.reversed() : calls
            try await other.connection.execute(script: "begin")
            try await make(order[..<(order.count / 2)], other)
            let rest = order[(order.count / 2)...]
            let (answers, isMet) = try await race(batch, expected, in: scene, rest, other)
            let unexpected = Set(answers).subtracting(Self.answers)
            #expect(unexpected.isEmpty, "\(batch) against \(foreign)")
            return isMet
        }
    }

    private static let answers: Set<String> = [
        "done", "stored", "renewed", "parked", "received", "emitted", "known", "repeated", "lost",
        "cancelled", "failed", "unchanged", "new",
    ]

    /// Our call comes while the foreign transaction is half way.
    private func race(
        _ batch: CollidingBatch, _ expected: Collision, in scene: CollisionScene,
        _ rest: ArraySlice<(String, [SQLParameter])>, _ other: ExtensionQueue
    ) async throws -> (answers: [String], isMet: Bool) {
        if expected == .none {
            let answers = try await batch.send(scene)
            try await end(rest, other)
            return (answers, true)
        }
        async let answers = batch.send(scene)
        // Again and again, if the transaction is slow to go on.
        try await TestDatabase.current.waitUntilBlocked(scene.queue.connection.backendPID)
        async let ending: Void = end(rest, other)
        let isCycle = try await seeCycle(scene.queue, other)
        try await ending
        return (try await answers, isCycle == (expected == .cycle))
    }

    private func end(_ rest: ArraySlice<(String, [SQLParameter])>, _ other: ExtensionQueue) async throws {
        try await make(rest, other)
        try await other.connection.execute(script: "commit")
    }

    /// Calls of the foreign transaction, which goes on when one is refused for what ours has done.
    private func make(
        _ calls: ArraySlice<(String, [SQLParameter])>, _ other: ExtensionQueue
    ) async throws {
        for (sql, parameters) in calls {
            try await other.connection.execute(script: "savepoint one")
            do {
                try await other.run(sql, parameters)
            } catch let error as PostgresError where !["55P03", "40P01"].contains(error.sqlState) {
                try await other.connection.execute(script: "rollback to one")
            }
        }
    }

    /// Whether the two wait for each other before the foreign transaction has ended.
    private func seeCycle(_ ours: ExtensionQueue, _ foreign: ExtensionQueue) async throws -> Bool {
        let observer = try await TestDatabase.current.observingConnection()
        while true {
            let row = try await observer.query(
                """
                select $1::integer = any (pg_blocking_pids($2::integer)) and $2 = any (pg_blocking_pids($1)) as is_cycle,
                  not exists (select from pg_stat_activity where pid = $2 and xact_start is not null) as is_over
                """,
                [
                    .int(Int64(ours.connection.backendPID)), .int(Int64(foreign.connection.backendPID)),
                ])[0]
            if try row.decode("is_cycle") { return true }
            if try row.decode("is_over") { return false }
        }
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
