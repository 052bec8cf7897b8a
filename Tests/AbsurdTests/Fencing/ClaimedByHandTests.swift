import Absurd
import TestSupport
import Testing

/// The calls for workers written by hand, made under a claim that is gone.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct ClaimedByHandTests {
    @Test(arguments: ["B", "A"])
    func `every call under a claim that is gone is refused and changes nothing`(_ second: String) async throws
    {
        let client = try makeClient()
        try await client.createQueue("default")
        let task = try await client.spawn("t", params: nil)
        let stale = try #require(try await client.claimRuns(workerID: "A").first)
        try await client.release(stale)
        let held = try #require(try await client.claimRuns(workerID: second).first)
        #expect(held.info.runID == stale.info.runID)
        let scene = FencedScene(
            client: client, store: PausingStore(PostgresRunStore(pool: client.pool), before: nil), task: task)
        let before = try await scene.contents()

        let calls: [(String, (ClaimedRun) async throws -> Void)] = [
            ("complete", { try await client.complete($0, result: "A") }),
            ("fail", { try await client.fail($0, TaskFailure("A")) }),
            ("fail for good", { try await client.fail($0, TaskFailure("A", retry: .never)) }),
            ("schedule", { try await client.schedule($0, after: .hours(1)) }),
            ("release", { try await client.release($0) }),
            ("extendClaim", { try await client.extendClaim($0, by: .hours(1)) }),
            ("setCheckpoint", { try await client.setCheckpoint("s", of: $0, to: 1) }),
            ("awaitEvent", { _ = try await client.awaitEvent("never", for: $0) }),
        ]
        for (name, call) in calls {
            let error = await #expect(throws: AbsurdError.self, "\(name)") { try await call(stale) }
            #expect(error?.code == .claimLost, "\(name)")
        }
        #expect(try await scene.contents() == before)
        try await client.complete(held, result: "second")
        for (name, call) in calls {
            let error = await #expect(throws: AbsurdError.self, "\(name)") { try await call(stale) }
            #expect(error?.code == .claimLost, "\(name)")
        }
        #expect(try await task.result(timeout: .seconds(60)) == "second")
        await client.close()
    }
}
