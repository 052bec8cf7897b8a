import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct TaskTests {
    private func withClient(_ body: (AbsurdClient) async throws -> Void) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        try await body(client)
        await client.close()
    }

    @Test func `claims by hand complete, fail at a time, extend, schedule and record`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: ["a": 1])
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(run.info.taskID == task.taskID && run.info.attempt == 1 && !run.isResumed)
            #expect(try run.params(as: [String: Int].self) == ["a": 1])
            try await client.extendClaim(run, by: .hours(1))
            #expect(try await client.setCheckpoint("s", of: run, to: 5) == 5)
            #expect(try await client.setCheckpoint("s", of: run, to: 6) == 5)
            #expect(try await client.checkpoints(of: run) == ["s": 5])
            try await client.schedule(run, after: .zero)
            let error = await #expect(throws: AbsurdError.self) { try await client.complete(run, result: 1) }
            #expect(error?.code == .claimLost)

            let again = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(again.isResumed && again.info.runID == run.info.runID)
            let failure = TaskFailure("broken", retry: .after(.hours(2)))
            #expect(try await client.fail(again, failure) == .sleeping)
            let due = try await client.pool.query(
                "select available_at > now() + interval '119 minutes' from absurd.r_default where attempt = 2"
            )
            #expect(try due[0].decode(0, as: Bool.self))
        }
    }

    @Test func `an attempt that failed until a date is followed by one that is due then`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            let date = Date.now.addingTimeInterval(3 * 3600)
            #expect(try await client.fail(run, TaskFailure("broken", retry: .at(date))) == .sleeping)
            let next = try await client.pool.query(
                "select available_at from absurd.r_default where task_id = $1 and attempt = 2",
                [.uuid(task.taskID.uuid)])
            #expect(try next[0].decode(0, as: PostgresTimestamp.self) == PostgresTimestamp(date))

            // A date in the past means at once.
            _ = try await client.spawn("t", params: nil)
            let other = try #require(try await client.claimRuns(workerID: "me").first)
            let failure = TaskFailure("broken", retry: .at(.distantPast))
            #expect(try await client.fail(other, failure) == .pending)
            let again = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(again.info.taskID == other.info.taskID && again.info.attempt == 2)
        }
    }

    @Test func `a run that is given back is due at once, for the same attempt, and its old claim is gone`()
        async throws
    {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            try await client.setCheckpoint("s", of: run, to: 1)
            try await client.release(run)
            #expect(try await task.snapshot()?.state == .pending)
            let error = await #expect(throws: AbsurdError.self) { try await client.complete(run, result: 1) }
            #expect(error?.code == .claimLost)
            let again = try #require(try await client.claimRuns(workerID: "you").first)
            #expect(again.info.runID == run.info.runID && again.info.attempt == 1 && again.isResumed)
            #expect(try await client.checkpoints(of: again) == ["s": 1])
            try await client.complete(again, result: 1)
            #expect(try await task.result() == 1)
        }
    }

    @Test func `values recorded before a task has started reach its first execution`() async throws {
        let handler = Handler("seeded") { context in
            .complete(.integer(Int64(try await context.step("s") { 2 })))
        }
        try await withClient { client in
            let task = try await client.spawn("seeded", params: nil)
            _ = try await client.pool.query(
                "select absurd.set_task_checkpoint_state('default', $1, 's', '1', $2)",
                [.uuid(task.taskID.uuid), .uuid(task.runID.uuid)])
            try await withEngine([handler]) { _ in
                let result = try await task.result(timeout: .seconds(60))
                #expect(result == 1)
            }
        }
    }

    @Test func `a hand-written worker waits for an event and gets it`() async throws {
        try await withClient { client in
            _ = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(try run.eventPayload(as: JSONValue.self) == nil)
            #expect(try await client.awaitEvent("e", for: run) == .suspended)
            try await client.emitEvent("e", ["x": 1])
            let woken = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(woken.wakeEvent == nil)
            #expect(try woken.eventPayload(as: [String: Int].self) == ["x": 1])
            #expect(try woken.eventPayload(as: JSONValue.self) == ["x": 1])
            let error = #expect(throws: AbsurdError.self) { try woken.eventPayload(as: Int.self) }
            #expect(error?.code == .undecodable && error?.message.contains("woke task 't'") == true)
            #expect(try await client.awaitEvent("e", for: woken) == .received(["x": 1]))
            try await client.complete(woken, result: "done")
            #expect(try await client.task(woken.info.taskID)?.result == "done")
        }
    }

    @Test func `a claimed run tells a deadline that passed from an event without payload`() async throws {
        try await withClient { client in
            _ = try await client.spawn("t", params: nil)
            let first = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(try await client.awaitEvent("e", for: first, timeout: .milliseconds(1)) == .suspended)
            var claimed: ClaimedRun?
            try await eventually("the deadline has passed") {
                claimed = try await client.claimRuns(workerID: "me").first
                return claimed != nil
            }
            let run = try #require(claimed)
            #expect(run.wakeEvent == "e")
            #expect(try run.eventPayload(as: JSONValue.self) == nil)
            #expect(try await client.awaitEvent("e", for: run) == .timedOut)
            #expect(try await client.awaitEvent("e", for: run) == .suspended)
            try await client.emitEvent("e")
            let woken = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(try woken.eventPayload(as: JSONValue.self) == .null)
        }
    }

    @Test func `a claimed run has the stored retry strategy`() async throws {
        try await withClient { client in
            _ = try await client.spawn("t", params: nil)
            let plain = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(try plain.retryStrategy == nil)
            _ = try await client.spawn(
                "t", params: nil, options: SpawnOptions(retry: .fixed(.milliseconds(1500))))
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(try run.retryStrategy == ["kind": "fixed", "base_seconds": 1.5])
        }
    }

    @Test func `a checkpoint that is not committed is read on request`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            try await client.setCheckpoint("s", of: run, to: 1)
            #expect(try await client.checkpoint("s", of: task.taskID, includePending: true)?.value == 1)
            _ = try await client.pool.query("update absurd.c_default set status = 'pending'")
            #expect(try await client.checkpoint("s", of: task.taskID) == nil)
            let pending = try await client.checkpoint("s", of: task.taskID, includePending: true)
            #expect(pending?.value == 1 && pending?.status == "pending")
        }
    }

    @Test func `a checkpoint says who recorded it and when`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            try await client.setCheckpoint("s", of: run, to: ["a": 1])
            let read = try await client.checkpoint("s", of: task.taskID)
            let checkpoint = try #require(read)
            #expect(checkpoint.name == "s" && checkpoint.value == ["a": 1])
            #expect(checkpoint.status == "committed" && checkpoint.runID == task.runID)
            #expect(abs(checkpoint.recordedAt.timeIntervalSinceNow) < 600)
            #expect(try await client.checkpoint("t", of: task.taskID) == nil)
            _ = try await client.pool.query("update absurd.c_default set state = null, owner_run_id = null")
            let bare = try await client.checkpoint("s", of: task.taskID)
            #expect(bare?.value == .null && bare?.runID == nil)
        }
    }

    @Test func `a failed task is retried in place with its steps, or anew without them`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil, options: SpawnOptions(maxAttempts: 1))
            let early = await #expect(throws: AbsurdError.self) { try await client.retryTask(task.taskID) }
            #expect(early?.code == .taskNotFailed)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            try await client.setCheckpoint("s", of: run, to: 1)
            #expect(try await client.fail(run, TaskFailure("x")) == .failed)

            let anew = try await client.retryTaskAsNew(task.taskID)
            #expect(anew.taskID != task.taskID && anew.wasCreated)
            let retried = try await client.retryTask(task.taskID)
            #expect(retried.taskID == task.taskID && retried.attempt == 2 && !retried.wasCreated)
            let runs = try await client.claimRuns(workerID: "me", limit: 2)
            for run in runs {
                let steps = try await client.checkpoints(of: run)
                #expect(steps == (run.info.taskID == task.taskID ? ["s": 1] : [:]))
            }
        }
    }

    @Test func `cancelling ends a task once and says how an ended one had ended`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            #expect(try await task.cancel() == .cancelled)
            #expect(try await task.cancel() == .cancelled)
            let error = await #expect(throws: AbsurdError.self) { try await client.complete(run, result: 1) }
            #expect(error?.code == .taskCancelled)
            let failure = await #expect(throws: TaskFailure.self) { try await task.result() }
            #expect(failure?.name == "TaskCancelled")
            let unknown = await #expect(throws: AbsurdError.self) {
                try await client.cancelTask(TaskID(run.info.runID.uuid))
            }
            #expect(unknown?.code == .taskMissing)
        }
    }

    @Test func `waiting for a result ends at its timeout and leaves the task alone`() async throws {
        try await withClient { client in
            let task = try await client.spawn("t", params: nil)
            for timeout in [Duration.zero, .milliseconds(20)] {
                let error = await #expect(throws: AbsurdError.self) {
                    try await task.result(timeout: timeout)
                }
                #expect(error?.code == .timedOut)
            }
            // Said when the database has answered by then.
            try await eventually("the state is said") {
                do {
                    _ = try await task.result(timeout: .milliseconds(100))
                    return false
                } catch let error as AbsurdError {
                    return error.message.contains("pending")
                }
            }
            let negative = await #expect(throws: AbsurdError.self) {
                try await task.result(timeout: .seconds(-1))
            }
            #expect(negative?.code == .invalidArgument)
            #expect(try await task.snapshot()?.state == .pending)
        }
    }

    @Test func `queues and their policies are created, listed, changed and dropped`() async throws {
        try await withClient { client in
            var change = QueuePolicyChange()
            change.cleanupTTL = "7 days"
            change.cleanupLimit = 10
            try await client.createQueue("weekly \"q\"", storage: .partitioned, policy: change)
            #expect(try await client.queues() == ["default", "weekly \"q\""])
            let policy = try #require(try await client.queuePolicy("weekly \"q\""))
            #expect(
                policy.storageMode == .partitioned && policy.cleanupTTL == "7 days"
                    && policy.cleanupLimit == 10)
            await #expect(throws: AbsurdError.self) { try await client.createQueue("weekly \"q\"") }
            let missing = await #expect(throws: AbsurdError.self) {
                try await client.setQueuePolicy("nope", QueuePolicyChange())
            }
            #expect(missing?.code == .queueMissing)
            try await client.dropQueue("weekly \"q\"")
            try await client.dropQueue("weekly \"q\"")
            #expect(try await client.queues() == ["default"])
            #expect(try await client.queuePolicy("weekly \"q\"") == nil)
        }
    }

    @Test func `cleanup deletes what has ended long enough ago`() async throws {
        try await withClient { client in
            _ = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            try await client.complete(run, result: 1)
            try await client.emitEvent("e")
            #expect(try await client.cleanUp("default", olderThan: .hours(1)).tasks == 0)
            _ = try await client.pool.query(
                "update absurd.r_default set completed_at = now() - interval '2 hours'")
            _ = try await client.pool.query(
                "update absurd.e_default set emitted_at = now() - interval '2 hours'")
            let report = try await client.cleanUp("default", olderThan: .hours(1))
            #expect(report.tasks == 1 && report.events == 1)
            #expect(try await client.cleanUp().map(\.queue) == ["default"])
            let error = await #expect(throws: AbsurdError.self) { try await client.cleanUp("nope") }
            #expect(error?.code == .queueMissing)
        }
    }
}
