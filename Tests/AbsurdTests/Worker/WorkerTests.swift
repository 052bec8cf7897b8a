import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct WorkerTests {
    @Test func `an unknown task name is put off 15 to 30 seconds and spends no attempt`() async throws {
        try await withEngine([]) { engine in
            let events = engine.pool.events()
            let task = try await engine.client.spawn("nobody's", params: nil)
            try await events.first { if case .deferred = $0 { true } else { false } }
            let rows = try await engine.rows(
                """
                select state, attempt, failure_reason is null as clean,
                  available_at between now() + interval '13 seconds' and now() + interval '30 seconds' as due
                from absurd.r_default where task_id = $1
                """, [.uuid(task.taskID.uuid)])
            #expect(try rows[0].decode("state", as: String.self) == "sleeping")
            #expect(try rows[0].decode("attempt", as: Int32.self) == 1)
            #expect(try rows[0].decode("clean", as: Bool.self))
            #expect(try rows[0].decode("due", as: Bool.self))
        }
    }

    @Test func `cancelling the task cancels the Swift task of its handler`() async throws {
        let wasCancelled = Atomic<Bool>(false)
        let handler = Handler("sleeper") { _ in
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                wasCancelled.store(true, ordering: .relaxed)
                throw error
            }
            return .complete
        }
        try await withEngine([handler], options: testOptions { $0.claimTimeout = .seconds(1) }) { engine in
            let events = engine.pool.events()
            let task = try await engine.client.spawn("sleeper", params: nil)
            try await engine.waitUntil(task.taskID, is: .running)
            #expect(try await task.cancel() == .cancelled)
            try await events.first { if case .cancelled = $0 { true } else { false } }
        }
        let hasThrown = wasCancelled.load(ordering: .relaxed)
        #expect(hasThrown)
    }

    @Test func `a step of a cancelled task is refused and ends the execution silently`() async throws {
        let gate = HoldPoint()
        let handler = Handler("late") { context in
            await gate.arriveAndWait()
            try await context.step("too late") { 1 }
            return .complete
        }
        try await withEngine([handler]) { engine in
            defer { gate.open() }
            let events = engine.pool.events()
            let task = try await engine.client.spawn("late", params: nil)
            await gate.untilArrived()
            try await task.cancel()
            gate.open()
            try await events.first { if case .cancelled = $0 { true } else { false } }
            #expect(try await engine.rows("select 1 from absurd.c_default").isEmpty)
            #expect(try await engine.run("failure_reason is null", of: task.taskID, as: Bool.self))
        }
    }

    @Test func `a run taken over by another claim is dropped and its Swift task cancelled`() async throws {
        let gate = HoldPoint()
        let reasons = Mutex<[ExecutionEnded.Reason]>([])
        let cancellations = Mutex<[Bool]>([])
        let handler = Handler("slow") { context in
            guard context.attempt == 1 else { return .complete("second") }
            await gate.arriveAndWait()
            cancellations.withLock { $0.append(Task.isCancelled) }
            do {
                try await context.step("late") { 1 }
            } catch let ended as ExecutionEnded {
                cancellations.withLock { $0.append(Task.isCancelled) }
                reasons.withLock { $0.append(ended.reason) }
                throw ended
            }
            return .complete("first")
        }
        try await withEngine([handler]) { engine in
            defer { gate.open() }
            let task = try await engine.client.spawn("slow", params: nil)
            await gate.untilArrived()
            // The claim expires; the worker's own next claim sweeps it and takes the second attempt.
            _ = try await engine.rows(
                "update absurd.r_default set claim_expires_at = now() - interval '1 second'")
            #expect(try await task.result(timeout: .seconds(60)) == "second")
            gate.open()
            try await eventually("the first execution has ended") { !reasons.withLock(\.isEmpty) }
        }
        #expect(reasons.withLock(\.self) == [.claimLost])
        // The refused step is what told: the worker has not looked at its claims meanwhile.
        #expect(cancellations.withLock(\.self) == [false, true])
    }

    @Test func `automatic renewal keeps a silent handler's claim`() async throws {
        let gate = HoldPoint()
        let handler = Handler("silent") { context in
            await gate.arriveAndWait()
            return .complete(.integer(Int64(context.attempt)))
        }
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.renewal = .automatic(upTo: .minutes(1))
        }
        try await withEngine([handler], options: options) { engine in
            defer { gate.open() }
            let task = try await engine.client.spawn("silent", params: nil)
            await gate.untilArrived()
            let first = try await engine.run("claim_expires_at", of: task.taskID, as: PostgresTimestamp.self)
            try await eventually("the claim was renewed twice") {
                try await engine.run("claim_expires_at", of: task.taskID, as: PostgresTimestamp.self)
                    .microseconds
                    > first.microseconds + 1_000_000
            }
            gate.open()
            #expect(try await task.result(timeout: .seconds(60)) == 1)
        }
    }

    @Test func `several workers of a pool share a queue and execute each task once`() async throws {
        let executions = Mutex<[TaskID: Int]>([:])
        let handler = Handler("counted") { context in
            executions.withLock { $0[context.taskID, default: 0] += 1 }
            return .complete
        }
        try await withEngine([handler], options: testOptions { $0.workers = 3 }) { engine in
            let requests = try (0..<200).map { _ in try SpawnRequest("counted", params: nil) }
            let tasks = try await engine.client.spawnMany(requests)
            for task in tasks { _ = try await task.result(timeout: .seconds(60)) }
            #expect(Set(engine.pool.workers.map(\.id)).count == 3)
        }
        #expect(executions.withLock { $0.count } == 200)
        #expect(executions.withLock { $0.values.allSatisfy { $0 == 1 } })
    }

    @Test func `slots are numbered and say what executes in them`() async throws {
        let gate = HoldPoint()
        let handler = Handler("held") { _ in
            await gate.arriveAndWait()
            return .complete
        }
        try await withEngine([handler], options: testOptions { $0.concurrency = 2 }) { engine in
            defer { gate.open() }
            let task = try await engine.client.spawn("held", params: nil)
            await gate.untilArrived()
            let slots = engine.pool.workers[0].slots
            #expect(slots.map(\.number) == [0, 1])
            #expect(slots.map(\.run?.taskID) == [task.taskID, nil])
            gate.open()
            _ = try await task.result(timeout: .seconds(60))
            try await eventually("the slot is free") {
                engine.pool.workers[0].slots.allSatisfy { $0.run == nil }
            }
        }
    }
}
