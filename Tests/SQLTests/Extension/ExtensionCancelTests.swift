import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionCancelTests {
    @Test(arguments: QueueVariant.all)
    func `cancelling ends what is open and tells the rest apart`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let done = try await queue.claimNew("done")
            _ = try await queue.finish([.init(done, "complete")])
            let waiting = try await queue.claimNew("waiting")
            _ = try await queue.awaitEvent([(waiting, "s", "e")])
            let pending = try await queue.spawn(["pending"])[0]
            #expect(
                try await queue.cancel([pending, UUID(), waiting.task, done.task]) == [
                    .init(answer: "cancelled", value: "cancelled"), .only("unknown"),
                    .init(answer: "cancelled", value: "cancelled"),
                    .init(answer: "unchanged", value: "completed"),
                ])
            #expect(try await queue.cancel([pending]) == [.init(answer: "unchanged", value: "cancelled")])
            #expect(try await queue.count("w") == 0)
            #expect(try await queue.claim().isEmpty)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `cancelling waits for the holder of the run and then leaves what it ended`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            let other = try await queue.elsewhere()
            // The waiting part alone, since cancel's own lock_timeout would end the wait.
            try await withThrowingTaskGroup { group in
                try await queue.connection.withTransaction { _ in
                    _ = try await queue.finish([.init(claim, "complete")])
                    group.addTask {
                        _ = try await other.connection.query(
                            "select * from absurd_swift.cancel_tasks($1, $2, now(), true)",
                            [.text(other.name), .uuidArray([claim.task])])
                    }
                    try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
                }
                try await group.waitForAll()
            }
            #expect(try await queue.count("t", where: "state = 'completed' and cancelled_at is null") == 1)
            #expect(try await queue.count("r", where: "state = 'completed'") == 1)
        }
    }
}
