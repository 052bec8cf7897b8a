import LibPQ
import TestSupport
import Testing

/// Giving up a worker while somebody else is at it, at the level of statements.
@Suite(.timeLimit(.minutes(10)))
struct LostWorkerRaceTests {
    /// A steady observer, and a silent worker `w` that holds so many runs.
    private func withSilentWorker(
        holding count: Int, _ body: (ExtensionQueue) async throws -> Void
    ) async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            if count > 0 { _ = try await queue.give(count, to: "w") }
            try await queue.silence("w", seconds: 60)
            try await body(queue)
        }
    }

    @Test func `a claim that commits after an observer has looked is not left behind`() async throws {
        try await withSilentWorker(holding: 0) { queue in
            let claimer = try await queue.elsewhere()
            try await queue.spawn(["late"])
            try await claimer.connection.execute(script: "begin")
            #expect(try await claimer.claimRegistered("w").count == 1)
            // It is just claiming, so it is left alone.
            #expect(try await queue.reap() == nil)
            try await claimer.connection.execute(script: "commit")
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.reap() == .init("w", runs: 1, isOut: true))
        }
    }

    @Test func `a claim that meets an observer at work is refused when that is done`() async throws {
        try await withSilentWorker(holding: 1) { queue in
            let claimer = try await queue.elsewhere()
            try await queue.spawn(["late"])
            // Waiting ends after 200 ms, too soon for a test.
            try await queue.run(
                """
                alter function absurd_swift.claim(text, text, integer, integer, timestamptz, boolean, boolean, boolean)
                  set lock_timeout = '1min'
                """)
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.reap() == .init("w", runs: 1, isOut: true))
            async let refusal = claimer.claimRefusal("w")
            try await TestDatabase.current.waitUntilBlocked(claimer.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await refusal == "AS009")
        }
    }

    @Test func `the same when the worker keeps a final attempt`() async throws {
        try await withSilentWorker(holding: 0) { queue in
            _ = try await queue.give(1, to: "w", options: #"{"max_attempts": 1}"#)
            try await queue.silence("w", seconds: -52)
            try await queue.run("update absurd_swift.workers set claimed_at = null where worker_id = 'w'")
            let claimer = try await queue.elsewhere()
            try await queue.run(
                """
                alter function absurd_swift.claim(text, text, integer, integer, timestamptz, boolean, boolean, boolean)
                  set lock_timeout = '1min'
                """)
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: false))
            async let refusal = claimer.claimRefusal("w")
            try await TestDatabase.current.waitUntilBlocked(claimer.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await refusal == "AS009")
        }
    }

    @Test func `two observers at once take two workers`() async throws {
        try await withSilentWorker(holding: 2) { queue in
            let other = try await queue.elsewhere()
            try await queue.registerObserver("observer 2")
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.reap() == .init("w", runs: 2, isOut: true))
            #expect(try await other.reap("observer 2") == nil)
            try await other.register("v")
            try await other.silence("v", seconds: 60)
            #expect(try await other.reap("observer 2") == .init("v", runs: 0, isOut: true))
            try await queue.connection.execute(script: "commit")
            #expect(try await other.reap("observer 2") == nil)
            #expect(try await queue.runStates() == "failed 2, pending 2")
        }
    }

    @Test func `a beat that meets an observer at work finds its worker gone`() async throws {
        try await withSilentWorker(holding: 1) { queue in
            let worker = try await queue.elsewhere()
            try await queue.run(
                "alter function absurd_swift.beat(text[], integer[], integer[], boolean) set lock_timeout = '1min'"
            )
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.reap() == .init("w", runs: 1, isOut: true))
            async let beat = worker.beat(["w"], running: 1)
            try await TestDatabase.current.waitUntilBlocked(worker.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await beat.gone == "w")
        }
    }

    @Test func `a worker that beats in time is spared by an observer that had seen it silent`() async throws {
        try await withSilentWorker(holding: 1) { queue in
            let worker = try await queue.elsewhere()
            #expect(try await queue.beat(["observer"]).mayReap)
            #expect(try await worker.beat(["w"], running: 1).gone == "")
            #expect(try await queue.reap() == nil)
            #expect(try await queue.runStates() == "running 1")
        }
    }

    @Test(arguments: [false, true])
    func `an observer and a sweep of expired claims fail each run once`(sweepIsFirst: Bool) async throws {
        try await withSilentWorker(holding: 2) { queue in
            let other = try await queue.elsewhere()
            try await queue.run(
                "update absurd.r_q set claim_expires_at = clock_timestamp() - interval '1 second'")
            try await queue.connection.execute(script: "begin")
            if sweepIsFirst {
                try await queue.run("select absurd_swift.sweep_claims('q', 100)")
                #expect(try await other.reap() == .init("w", runs: 0, isOut: false))
            } else {
                #expect(try await queue.reap() == .init("w", runs: 2, isOut: true))
                try await other.run("select absurd_swift.sweep_claims('q', 100)")
            }
            try await queue.connection.execute(script: "commit")
            #expect(try await queue.runStates() == "failed 2, pending 2")
            #expect(
                try await other.reap() == (sweepIsFirst ? .init("w", runs: 0, isOut: true) : nil))
            #expect(try await queue.runStates() == "failed 2, pending 2")
        }
    }

    @Test func `a run that its worker is just ending is left for the next look`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            let claims = try await queue.give(2, to: "w")
            try await queue.silence("w", seconds: 60)
            let worker = try await queue.elsewhere()
            try await worker.connection.execute(script: "begin")
            #expect(try await worker.finish([.init(claims[0], "complete")]).map(\.answer) == ["done"])
            #expect(try await queue.reap() == .init("w", runs: 1, isOut: false))
            try await worker.connection.execute(script: "commit")
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: true))
            #expect(try await queue.runStates() == "completed 1, failed 1, pending 1")
        }
    }
}
