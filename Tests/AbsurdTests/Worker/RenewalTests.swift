import Absurd
import InMemoryLogging
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct RenewalTests {
    @Test func `a claim that runs out under its handler is reported once, before anybody takes it over`()
        async throws
    {
        let gate = HoldPoint()
        let logs = InMemoryLogHandler()
        let logger = Logger(label: "test") { _ in logs }
        let handler = Handler("silent") { context in
            await gate.arriveAndWait()
            return .complete("done")
        }
        // One slot, so that the worker itself does not take the run over.
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.concurrency = 1
        }
        try await withEngine([handler], options: options, logger: logger) { engine in
            defer { gate.open() }
            let events = engine.pool.events()
            let task = try await engine.client.spawn("silent", params: nil)
            let event = try await events.first { if case .claimLapsed = $0 { true } else { false } }
            guard case .claimLapsed(let run) = event.kind else { return }
            #expect(run.taskID == task.taskID)
            #expect(try await engine.run("claim_expires_at <= now()", of: task.taskID, as: Bool.self))
            gate.open()
            // The claim has run out, but nobody took it over.
            #expect(try await task.result(timeout: .seconds(60)) == "done")
        }
        let lines = logs.entries.filter { "\($0.message)".contains("claim has run out") }
        #expect(lines.count == 1 && lines.first?.level == .info)
        #expect(lines.first?.metadata["task.name"] == "silent")
    }

    @Test func `a step and a heartbeat keep the claim for another claim timeout when most of it has passed`()
        async throws
    {
        let points = [HoldPoint(), HoldPoint(), HoldPoint()]
        let handler = Handler("steady") { context in
            await points[0].arriveAndWait()
            try await context.step("s") { 1 }
            await points[1].arriveAndWait()
            try await context.heartbeat()
            await points[2].arriveAndWait()
            return .complete
        }
        try await withEngine([handler]) { engine in
            defer { for point in points { point.open() } }
            let task = try await engine.client.spawn("steady", params: nil)
            for (point, next) in zip(points, points.dropFirst()) {
                await point.untilArrived()
                _ = try await engine.rows(
                    "update absurd.r_default set claim_expires_at = now() + interval '10 seconds'")
                point.open()
                await next.untilArrived()
                let isRenewed: Bool = try await engine.run(
                    "claim_expires_at > now() + interval '20 seconds'", of: task.taskID)
                #expect(isRenewed)
            }
        }
    }

    @Test func `automatic renewal ends at its bound, and a handler that hangs is taken over`() async throws {
        let gate = HoldPoint()
        let handler = Handler("hangs") { context in
            guard context.attempt == 1 else { return .complete("second") }
            await gate.arriveAndWait()
            return .complete("first")
        }
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.renewal = .automatic(upTo: .seconds(1))
            $0.concurrency = 2
        }
        try await withEngine([handler], options: options) { engine in
            defer { gate.open() }
            let events = engine.pool.events()
            let task = try await engine.client.spawn("hangs", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == "second")
            let names = try await engine.rows(
                "select failure_reason->>'name' from absurd.r_default where attempt = 1")
            #expect(try names[0].decode(0, as: String.self) == "$ClaimTimeout")
            gate.open()
            try await events.first { if case .claimLost(let run) = $0 { run.attempt == 1 } else { false } }
        }
    }

    @Test func `a silent handler whose run another worker holds is cancelled without a call of its own`()
        async throws
    {
        let gate = HoldPoint()
        let cancelled = HoldPoint()
        let handler = Handler("silent") { _ in
            gate.arrive()
            try? await Task.sleep(for: .seconds(600))
            cancelled.arrive()
            return .complete("A")
        }
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.renewal = .automatic(upTo: .minutes(5))
            $0.concurrency = 1
        }
        try await withEngine([handler], options: options) { engine in
            let task = try await engine.client.spawn("silent", params: nil)
            await gate.untilArrived()
            _ = try await engine.rows(
                "select absurd.schedule_run('default', run_id, now()) from absurd.r_default")
            let held = try #require(
                try await engine.client.claimRuns(workerID: "B", claimTimeout: .minutes(5)).first)
            await cancelled.untilArrived()
            try await engine.client.complete(held, result: "B")
            #expect(try await task.result(timeout: .seconds(60)) == "B")
        }
    }
}
