import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Checkpoints that a handler names and reads itself.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct CheckpointTests {
    @Test func `what one execution records by name, the next ones read, and steps of that name return`()
        async throws
    {
        let seen = Mutex<[JSONValue?]>([])
        let handler = Handler("by hand") { context in
            let before = try context.checkpoint("page")
            seen.withLock { $0.append(before) }
            let kept = try await context.setCheckpoint("page", to: .integer(Int64(context.attempt)))
            seen.withLock { $0.append(kept) }
            if context.attempt == 1 { throw TaskFailure("again") }
            return .complete(try await context.step("page") { JSONValue.string("the body ran") })
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("by hand", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 1)
            let checkpoint = try await engine.client.checkpoint("page", of: task.taskID)
            #expect(checkpoint?.value == 1 && checkpoint?.runID == task.runID)
        }
        #expect(seen.withLock(\.self) == [nil, 1, 1, 1])
    }

    @Test func `a name is taken as it is, also one that a step numbered`() async throws {
        let handler = Handler("numbered") { context in
            for _ in 0..<2 { try await context.setCheckpoint("set", to: 1) }
            for number in 1...2 { try await context.step("add") { number } }
            try await context.step("bare") {}
            #expect(try context.checkpoint("bare") == .null)
            return .complete(try context.checkpoint("add#2") ?? "none")
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("numbered", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 2)
            let names = try await engine.rows("select checkpoint_name from absurd.c_default order by 1")
            #expect(
                try names.map { try $0.decode(0, as: String.self) } == ["add", "add#2", "bare", "set"])
        }
    }

    @Test func `it keeps the claim, and the value that another execution recorded first counts`() async throws
    {
        let gate = HoldPoint()
        let end = HoldPoint()
        let handler = Handler("second") { context in
            await gate.arriveAndWait()
            let value = try await context.setCheckpoint("page", to: "mine")
            await end.arriveAndWait()
            return .complete(value)
        }
        try await withEngine([handler]) { engine in
            defer {
                gate.open()
                end.open()
            }
            let task = try await engine.client.spawn("second", params: nil)
            await gate.untilArrived()
            _ = try await engine.rows(
                """
                select absurd.set_task_checkpoint_state('default', task_id, 'page', '"theirs"', run_id)
                from absurd.r_default
                """)
            _ = try await engine.rows(
                "update absurd.r_default set claim_expires_at = now() + interval '10 seconds'")
            gate.open()
            await end.untilArrived()
            let isRenewed: Bool = try await engine.run(
                "claim_expires_at > now() + interval '20 seconds'", of: task.taskID)
            #expect(isRenewed)
            end.open()
            #expect(try await task.result(timeout: .seconds(60)) == "theirs")
        }
    }

    @Test(arguments: ["", "inner"])
    func `a blank name, and a call inside a step, are refused`(_ name: String) async throws {
        let handler = Handler("wrong") { context in
            guard !name.isEmpty else { return .complete(try await context.setCheckpoint(" ", to: 1)) }
            try await context.step("outer") { _ = try await context.setCheckpoint(name, to: 1) }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "wrong", params: nil, options: SpawnOptions(maxAttempts: 1))
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(failure?.message.contains(name.isEmpty ? "must not be empty" : "'outer'") == true)
        }
    }
}
