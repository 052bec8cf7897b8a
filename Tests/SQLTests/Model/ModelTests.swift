import Foundation
import LibPQ
import TestSupport
import Testing

/// Random histories of client and worker calls, on a model and on the database.
///
/// Each run takes new seeds. A failure names the seed: `ABSURD_MODEL_SEED=42 swift test --filter ModelTests` plays that
/// history again, and `ABSURD_MODEL_CALLS=1000000` makes more of them.
@Suite(.timeLimit(.minutes(30)))
struct ModelTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let length = 200
    private static let lanes = 4

    @Test(.database(.migrated), arguments: 0..<lanes)
    func `after each call the database holds what the model says`(_ lane: Int) async throws {
        let given = Self.environment["ABSURD_MODEL_SEED"].flatMap { UInt64($0) }
        if given != nil, lane > 0 { return }
        let total = Self.environment["ABSURD_MODEL_CALLS"].flatMap { Int($0) } ?? 10_400
        let database = ModelDatabase(connection: try await TestDatabase.current.connect())
        try await database.create()
        var calls = 0
        while calls < total / Self.lanes {
            let seed = given ?? UInt64.random(in: 0 ... .max)
            let made = try await check(ModelOperation.history(Self.length, seed: seed), seed: seed, database)
            guard let made, given == nil else { return }
            calls += made
        }
    }

    /// Records the shrunk history of a mismatch; returns the number of calls, or nil.
    private func check(
        _ history: [ModelOperation], seed: UInt64, _ database: ModelDatabase
    ) async throws -> Int? {
        let player = ModelHistory(database: database, seed: seed)
        do {
            return try await player.play(history)
        } catch let mismatch as ModelHistory.Mismatch {
            let (shrunk, message) = try await Self.shrunk(history, mismatch, player)
            Issue.record(
                """
                ABSURD_MODEL_SEED=\(seed): \(message)
                with only these calls:
                \(shrunk.map { "  \($0)" }.joined(separator: "\n"))
                """)
            return nil
        }
    }

    private static func shrunk(
        _ history: [ModelOperation], _ mismatch: ModelHistory.Mismatch, _ player: ModelHistory
    ) async throws -> ([ModelOperation], String) {
        var message = mismatch.message
        let shrunk = try await shrink(Array(history.prefix(mismatch.position + 1))) { candidate in
            do {
                _ = try await player.play(candidate)
                return false
            } catch let other as ModelHistory.Mismatch {
                message = other.message
                return true
            }
        }
        return (shrunk, message)
    }

    @Test(.database(.migrated)) func `a fault in the schema is found, and its history shrunk to a few calls`()
        async throws
    {
        let database = ModelDatabase(connection: try await TestDatabase.current.connect())
        try await database.create()
        // Every refusal reads the same: a worker would not learn that its task was cancelled.
        try await database.connection.execute(
            script: """
                create or replace function absurd_swift.verdict(p_task_state text, p_run_state text, p_is_claim boolean)
                returns text language sql immutable as $$ select 'lost' $$
                """)
        for seed in UInt64(1)...20 {
            let player = ModelHistory(database: database, seed: seed)
            let history = ModelOperation.history(Self.length, seed: seed)
            do {
                _ = try await player.play(history)
            } catch let mismatch as ModelHistory.Mismatch {
                let (shrunk, message) = try await Self.shrunk(history, mismatch, player)
                #expect(shrunk.count <= 6)
                #expect(message.contains("answered 'lost' instead of"))
                return
            }
        }
        Issue.record("20 histories of \(Self.length) calls did not find it")
    }

    @Test func `a history is shrunk to the calls that it fails with`() async throws {
        let shrunk = try await shrink(Array(0..<100)) { $0.contains(17) && $0.contains(83) }
        #expect(shrunk == [17, 83])
    }

    @Test func `the same seed makes the same history`() {
        let (one, two, other) = (
            ModelOperation.history(50, seed: 7), ModelOperation.history(50, seed: 7),
            ModelOperation.history(50, seed: 8)
        )
        #expect("\(one)" == "\(two)" && "\(one)" != "\(other)")
    }
}
