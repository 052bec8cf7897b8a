import LibPQ
import TestSupport
import Testing

/// Every kind of write against every way of losing the claim, whoever claims the run then.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionFenceMatrixTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var loss: ClaimLoss
        var variant: QueueVariant
        /// Who holds the run after A.
        var second: String
        var testDescription: String { "\(loss.rawValue), then \(second), \(variant.testDescription)" }
    }

    static let cases = ClaimLoss.allCases.flatMap { loss in
        // The storage mode matters to how rows are found, not to how a claim was lost.
        (loss == .released || loss == .expired ? QueueVariant.all : QueueVariant.unpartitioned).flatMap {
            variant in
            (loss.isFollowedByClaim ? ["B", "A"] : ["nobody"]).map {
                Case(loss: loss, variant: variant, second: $0)
            }
        }
    }

    @Test(arguments: cases)
    func `every write under the lost claim is refused and changes nothing`(_ it: Case) async throws {
        try await it.variant.withQueue { queue in
            let surroundings = try await FencedWrite.surround(queue)
            let task = try await queue.spawn(["t"])[0]
            let stale = try #require(try await queue.claim(limit: 100, worker: "A").first { $0.task == task })
            _ = try await queue.checkpoint([(stale, "known", "1")])
            try await it.loss.happen(to: stale, in: queue, surroundings)
            if it.loss.isFollowedByClaim {
                let held = try #require(
                    try await queue.claim(limit: 100, worker: it.second).first { $0.task == task })
                for wait in [true, false] {
                    try await expectRefusals(
                        stale, it, queue, surroundings, "while the other claim holds", wait: wait)
                }
                let parked = try await queue.awaitEvent([(held, "w", "second")])
                #expect(parked == [.only("parked")])
                try await expectRefusals(stale, it, queue, surroundings, "while the other claim is parked")
                try await queue.emit("second")
                let again = try #require(
                    try await queue.claim(limit: 100, worker: it.second).first { $0.task == task })
                #expect(try await queue.finish([.init(again, "complete", #""B""#)]).map(\.answer) == ["done"])
            }
            try await expectRefusals(stale, it, queue, surroundings, "after the end")
            if it.loss.isFollowedByClaim {
                let result = try await queue.text(
                    "select completed_payload::text from absurd.t_q where task_id = $1", [.uuid(task)])
                #expect(result == #""B""#)
            }
        }
    }

    private func expectRefusals(
        _ stale: ExtensionQueue.Claim, _ it: Case, _ queue: ExtensionQueue,
        _ surroundings: FencedWrite.Surroundings, _ stage: Comment, wait: Bool = true
    ) async throws {
        let before = try await queue.contents()
        for write in FencedWrite.allCases {
            let answer = try await write.send(queue, stale, surroundings, wait: wait)
            #expect(answer == it.loss.answer, "\(write) \(stage)")
        }
        #expect(try await queue.contents() == before, stage)
    }
}

/// The same at the moment of the loss: A's statement has begun and waits for the lock that the takeover holds.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionFenceRaceTests {
    /// Ways that lock the run for as long as their transaction is open.
    static let losses: [ClaimLoss] = [
        .released, .parkedOnEvent, .cancelled, .failedByAnotherSDK, .expired, .reaped, .workerLost,
    ]

    @Test(arguments: losses, QueueVariant.unpartitioned)
    func `a write that waits for the takeover is refused when that commits`(
        _ loss: ClaimLoss, _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let surroundings = try await FencedWrite.surround(queue)
            // Nothing but the takeover ends a wait in this test, however slow the machine is.
            try await queue.connection.execute(script: withoutLockTimeout)
            let other = try await queue.elsewhere()
            for write in FencedWrite.allCases {
                let task = try await queue.spawn(["t"])[0]
                let stale = try #require(
                    try await queue.claim(limit: 100, worker: "A").first { $0.task == task })
                try await other.run("begin")
                try await loss.happen(to: stale, in: other, surroundings)
                var held = stale
                if loss.isFollowedByClaim {
                    held = try #require(
                        try await other.claim(limit: 100, worker: "A").first { $0.task == task })
                    #expect((held.run == stale.run) == !loss.endsAttempt)
                }
                async let answer = write.send(queue, stale, surroundings)
                try await TestDatabase.current.waitUntilBlocked(queue.connection.backendPID)
                try await other.run("commit")
                #expect(try await answer == loss.answer, "\(write)")
                if loss.isFollowedByClaim {
                    let state = try await queue.text(
                        "select state from absurd.r_q where run_id = $1", [.uuid(held.run)])
                    #expect(state == "running", "\(write)")
                    _ = try await queue.cancel([task])
                }
                _ = try await queue.run("delete from absurd.e_q where event_name = 'woken'")
            }
        }
    }
}

private let withoutLockTimeout = """
    do $do$
    declare v_function record;
    begin
      for v_function in
        select p.oid::regprocedure as name from pg_proc p
        where p.pronamespace = 'absurd_swift'::regnamespace and p.proconfig::text like '%lock_timeout%'
      loop
        execute format('alter function %s set lock_timeout = 0', v_function.name);
      end loop;
    end
    $do$
    """
