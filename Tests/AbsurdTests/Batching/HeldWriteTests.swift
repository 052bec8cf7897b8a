import Absurd
import Foundation
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

/// A worker's writes when a foreign transaction holds a row that one of them needs.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct HeldWriteTests {
    private static let count = 20

    @Test(arguments: ["r", "t"])
    func `while one run is held the others of its batch are answered, and it is when it is let go`(
        _ table: String
    ) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        _ = try await client.spawnMany(
            (0..<Self.count).map { _ in try SpawnRequest("task", params: nil) })
        let runs = try await client.claimRuns(
            workerID: "hand", claimTimeout: .minutes(10), limit: Self.count)
        let held = runs[Self.count / 2]
        let blocker = try await TestDatabase.current.connect()
        try await blocker.execute(script: "begin")
        try await blocker.query(
            "select from absurd.\(table)_default where task_id = $1 for update",
            [.uuid(held.info.taskID.uuid)])

        let store = RecordingStore(PostgresRunStore(pool: client.pool))
        let writer = RunWriter(
            store: store, holder: held.holder, outages: OutageLog(), logger: .quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Behind this one the others gather, so that they go together with the one that is held.
            group.addTask { try await self.complete(runs[0], writer) }
            await store.hold.untilArrived()
            let isHeldAnswered = Mutex(false)
            group.addTask {
                try await self.complete(held, writer)
                isHeldAnswered.withLock { $0 = true }
            }
            try await withThrowingTaskGroup(of: Void.self) { others in
                for run in runs.dropFirst() where run.info.runID != held.info.runID {
                    others.addTask { try await self.complete(run, writer) }
                }
                try await eventually("all gather") { writer.pendingCount == Self.count - 1 }
                store.hold.open()
                try await others.waitForAll()
            }
            try await eventually("the held one goes alone, again and again") {
                store.sent.count { $0 == .init(rows: 1, waits: false) } >= 3
            }
            let isTooEarly = isHeldAnswered.withLock(\.self)
            #expect(!isTooEarly)
            #expect(writer.busySince != nil)
            try await blocker.execute(script: "commit")
            try await group.waitForAll()
        }
        #expect(
            Array(store.sent.prefix(4)) == [
                .init(rows: 1, waits: true), .init(rows: Self.count - 1, waits: true),
                .init(rows: Self.count - 1, waits: false), .init(rows: 1, waits: false),
            ])
        let rows = try await client.pool.query(
            "select count(*) from absurd.r_default where state = 'completed'")
        #expect(try rows[0].decode(0, as: Int.self) == Self.count)
        await client.close()
    }

    private func complete(_ run: ClaimedRun, _ writer: RunWriter) async throws {
        let answer = try await writer.finish(FinishWrite(key: run.key, action: .complete(JSONText("1"))))
        #expect(answer == .done(taskState: .completed))
    }
}

/// The real store, which holds back the first ending of runs and notes what it sends.
private final class RecordingStore: RunStore {
    struct Sent: Equatable {
        var rows: Int
        var waits: Bool
    }

    let hold = HoldPoint()
    private let base: PostgresRunStore
    private let statements = Mutex<[Sent]>([])

    init(_ base: PostgresRunStore) { self.base = base }

    var sent: [Sent] { statements.withLock(\.self) }

    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer] {
        let isFirst = statements.withLock { statements in
            statements.append(Sent(rows: writes.count, waits: wait))
            return statements.count == 1
        }
        if isFirst { await hold.arriveAndWait() }
        return try await base.finish(writes, holder: holder, wait: wait)
    }

    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] { throw NothingClaimed() }
    func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int { 0 }
    func checkReadiness(queue: String) async throws {}
    func register(_ entry: RegistryEntry) async throws -> Bool { false }
    func deregister(_ worker: String) async throws -> Bool { true }
    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        throw NothingClaimed()
    }
    func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] { throw NothingClaimed() }
    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer] {
        throw NothingClaimed()
    }
    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        throw NothingClaimed()
    }
    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        throw NothingClaimed()
    }
}
