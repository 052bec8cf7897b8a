import Absurd
import Foundation
import LibPQ
import Synchronization
import TestSupport
import Testing

/// A handler that swallows every error and ignores that it was cancelled cannot write anything once its execution is over.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct DeafHandlerTests {
    /// Why the execution is over.
    enum Cause: String, CaseIterable, Sendable {
        /// The run is parked and, by the time of the calls, claimed again by the same worker.
        case parkedAndClaimedAgain
        case claimTakenByAnother
        case attemptTimeout
    }

    @Test func `an execution that waits for a deaf one of its run leaves when its task is cancelled`()
        async throws
    {
        let deaf = HoldPoint()
        let handler = Handler("deaf") { context in
            _ = try? await context.awaitEvent("go")
            await deaf.arriveAndWait()
            return .complete
        }
        let options = testOptions {
            $0.claimTimeout = .seconds(1)
            $0.renewal = .automatic(upTo: .minutes(5))
        }
        try await withEngine([handler], options: options) { engine in
            defer { deaf.open() }
            let slots = { engine.pool.workers[0].slots.count { $0.run != nil } }
            let task = try await engine.client.spawn("deaf", params: nil)
            await deaf.untilArrived()
            try await engine.client.emitEvent("go")
            try await eventually("the run is claimed again, and waits") { slots() == 2 }
            try await engine.client.cancelTask(task.taskID)
            try await eventually("the one that waited has left, the deaf one has not") { slots() == 1 }
        }
    }

    @Test(arguments: Cause.allCases)
    func `every durable call throws, no body runs and nothing reaches the database`(_ cause: Cause)
        async throws
    {
        let before = HoldPoint()
        let after = HoldPoint()
        let log = Mutex<[String]>([])
        let executions = Mutex(0)
        let handler = Handler("deaf", attemptTimeout: cause == .attemptTimeout ? .milliseconds(50) : nil) {
            context in
            guard
                executions.withLock({
                    $0 += 1
                    return $0 == 1
                })
            else { return .complete("B") }
            let open = try await context.beginStep("open", as: Int.self)
            if cause == .parkedAndClaimedAgain { _ = try? await context.awaitEvent("go") }
            await before.arriveAndWait()
            for call in Call.allCases {
                do {
                    try await call.make(context, open)
                    log.withLock { $0.append("\(call) got through") }
                } catch let ended as ExecutionEnded {
                    log.withLock { $0.append("\(call) \(ended.reason)") }
                } catch {
                    log.withLock { $0.append("\(call) threw \(error)") }
                }
            }
            await after.arriveAndWait()
            return .complete("A")
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: nil)
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler],
            options: testOptions {
                // One slot where nobody but B is to claim.
                $0.concurrency = cause == .claimTakenByAnother ? 1 : 2
                $0.claimTimeout = .seconds(1)
                $0.renewal = .automatic(upTo: .minutes(5))
            }, store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer {
                before.open()
                after.open()
            }
            group.addTask { try await pool.run() }
            let task = try await client.spawn("deaf", params: nil)
            let scene = FencedScene(client: client, store: store, task: task)
            await before.untilArrived()
            let stolen = try await cause.happen(in: scene)
            let rows = try await scene.contents()
            let counts = store.writes
            before.open()
            await after.untilArrived()
            let answers = log.withLock(\.self)
            #expect(answers == Call.allCases.map { "\($0) \(cause.reason)" })
            #expect(store.writes == counts)
            #expect(try await scene.contents() == rows)
            after.open()
            if let stolen { try await client.complete(stolen, result: "B") }
            #expect(try await task.result(timeout: .seconds(60)) == "B")
            let late = "select count(*) from absurd.c_default where checkpoint_name <> '$awaitEvent:go'"
            let lateCount: Int = try await scene.value(late)
            #expect(lateCount == 0)
            group.cancelAll()
        }
        await client.close()
    }
}

extension DeafHandlerTests.Cause {
    var reason: ExecutionEnded.Reason {
        switch self {
        case .parkedAndClaimedAgain: .suspended
        case .claimTakenByAnother: .claimLost
        case .attemptTimeout: .timedOut
        }
    }

    /// Brings the end of the execution about and waits until the worker knows; returns B's claim.
    func happen(in scene: FencedScene) async throws -> ClaimedRun? {
        switch self {
        case .parkedAndClaimedAgain:
            try await scene.client.emitEvent("go")
            try await eventually("the worker has claimed the run again") {
                try await scene.value("select state = 'running' from absurd.r_default")
            }
            return nil
        case .claimTakenByAnother:
            let claimed = try await scene.take(.givenBack)
            // Each third of a second; the one that is under way may have looked before.
            let looks = scene.store.looks
            try await eventually("the worker has looked at its claims") { scene.store.looks >= looks + 2 }
            return claimed
        case .attemptTimeout:
            let failed = "select failure_reason->>'name' from absurd.r_default where attempt = 1"
            // The next attempt is over by then as well, so that whatever is written later is the deaf handler's.
            try await eventually("the next attempt has completed") {
                try await scene.value(
                    "select exists (select from absurd.t_default where state = 'completed')")
            }
            let name: String? = try await scene.value(failed)
            #expect(name == "$AttemptTimeout")
            return nil
        }
    }
}

/// The durable calls of a handler.
enum Call: String, CaseIterable, Sendable {
    case step, completeStep, beginStep, setCheckpoint, heartbeat, sleep, sleepUntil, awaitEvent, emitEvent,
        spawn
}

extension Call {
    func make(_ context: TaskContext, _ open: OpenStep<Int>) async throws {
        switch self {
        case .step: try await context.step("late") { Issue.record("the body of a step ran") }
        case .beginStep: _ = try await context.beginStep("late begin", as: Int.self)
        case .completeStep: try await context.completeStep(open, 1)
        case .setCheckpoint: try await context.setCheckpoint("late checkpoint", to: 1)
        case .heartbeat: try await context.heartbeat()
        case .sleep: try await context.sleep("late sleep", for: .hours(1))
        case .sleepUntil: try await context.sleep("late sleep", until: Date(timeIntervalSince1970: 1e10))
        case .awaitEvent: try await context.awaitEvent("late event")
        case .emitEvent: try await context.emitEvent("late emission")
        case .spawn: try await context.spawn("late child", params: nil)
        }
    }
}
