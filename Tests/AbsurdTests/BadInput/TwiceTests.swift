import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// Each call made by two at once: it ends as one after the other would.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct TwiceTests {
    /// A call, and a query that is true once both have been answered.
    private struct Row: Sendable {
        var name: String
        var holds: String
        var call: @Sendable () async throws -> Void
    }

    private func check(_ rows: [Row], _ scene: BadInputScene) async throws {
        for row in rows {
            async let first = scene.attempt("first \(row.name)", row.call)
            async let second = scene.attempt("second \(row.name)", row.call)
            let worked = await [first, second]
            #expect(worked.contains(true), "\(row.name)")
            let holds = try await scene.client.pool.query("select (\(row.holds))::boolean")
            #expect(try holds[0].decode(0, as: Bool.self), "\(row.name)")
        }
    }

    @Test func `calls about queues`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            func queues(_ name: String, _ count: Int, _ mode: String) -> String {
                """
                (select count(*) = \(count) from absurd.queues where queue_name = '\(name)' and storage_mode = '\(mode)')
                and (to_regclass('absurd."r_\(name)"') is not null) = (\(count) = 1)
                """
            }
            var policy = QueuePolicyChange()
            policy.cleanupTTL = "7 days"
            try await check(
                [
                    Row(name: "createQueue", holds: queues("twice", 1, "unpartitioned")) {
                        try await client.createQueue("twice")
                    },
                    Row(name: "createQueue partitioned", holds: queues("twice p", 1, "partitioned")) {
                        try await client.createQueue("twice p", storage: .partitioned)
                    },
                    Row(
                        name: "setQueuePolicy",
                        holds: "select cleanup_ttl = '7 days' from absurd.queues where queue_name = 'twice'"
                    ) { [policy] in try await client.setQueuePolicy("twice", policy) },
                    Row(
                        name: "ensurePartitions",
                        holds:
                            "select count(*) > 0 from pg_inherits where inhparent = 'absurd.\"r_twice p\"'::regclass"
                    ) { try await client.ensurePartitions() },
                    Row(
                        name: "spawn with a key",
                        holds: """
                            (select count(*) = 1 from absurd.t_twice) and (select count(*) = 1 from absurd.r_twice)
                            """
                    ) {
                        _ = try await client.spawn(
                            "t", params: nil, on: "twice", options: SpawnOptions(idempotencyKey: "k"))
                    },
                    Row(name: "spawn without", holds: "select count(*) = 3 from absurd.t_twice") {
                        _ = try await client.spawn("t", params: nil, on: "twice")
                    },
                    Row(name: "spawnMany with keys", holds: "select count(*) = 5 from absurd.t_twice") {
                        _ = try await client.spawnMany(
                            ["a", "b"].map {
                                try SpawnRequest(
                                    "t", params: nil, on: "twice", options: SpawnOptions(idempotencyKey: $0))
                            })
                    },
                    Row(name: "withTransaction", holds: "select count(*) = 6 from absurd.t_twice") {
                        try await client.withTransaction { transaction in
                            _ = try await transaction.spawn(
                                "t", params: nil, on: "twice", options: SpawnOptions(idempotencyKey: "c"))
                        }
                    },
                    Row(
                        name: "emit",
                        holds:
                            "select count(*) = 1 and min(payload::text) = '1' from absurd.e_twice where event_name = 'e'"
                    ) { try await client.emitEvent("e", 1, on: "twice") },
                    Row(name: "migrate", holds: "select count(*) = 6 from absurd.t_twice") {
                        try await client.migrate()
                    },
                    Row(name: "dropQueue", holds: queues("twice", 0, "unpartitioned")) {
                        try await client.dropQueue("twice")
                    },
                    Row(name: "dropQueue partitioned", holds: queues("twice p", 0, "partitioned")) {
                        try await client.dropQueue("twice p")
                    },
                ], scene)
            #expect(try await client.queues() == ["default"])
        }
    }

    @Test func `calls about runs`() async throws {
        try await BadInputScene.with { scene async throws in
            let client = scene.client
            func claimed(_ name: String, attempts: AttemptLimit? = nil) async throws -> ClaimedRun {
                try await client.spawn(
                    name, params: nil, options: SpawnOptions(maxAttempts: attempts, retry: .immediate))
                return try #require(
                    try await client.claimRuns(workerID: "w", claimTimeout: .hours(1)).first)
            }
            /// States of the task, then of its runs by attempt.
            func states(_ run: ClaimedRun, _ expected: String) -> String {
                """
                select t.state || ' ' || string_agg(r.state, ' ' order by r.attempt) = '\(expected)'
                from absurd.t_default t join absurd.r_default r using (task_id)
                where t.task_id = '\(run.info.taskID)' group by t.state
                """
            }
            let written = try await claimed("written")
            let completed = try await claimed("completed")
            let failed = try await claimed("failed", attempts: 2)
            let ended = try await claimed("ended", attempts: 1)
            let again = try await claimed("again", attempts: 1)
            try await client.fail(again, TaskFailure("no"))
            var lost: [ClaimedRun] = []
            for (worker, process) in [("lost worker", "p"), ("other", "lost process")] {
                _ = try await client.pool.query(
                    "select absurd_swift.register($1, 'default', $2, 'h', 1, '1', 1)",
                    [.text(worker), .text(process)])
                try await client.spawn("lost", params: nil, options: SpawnOptions(retry: .immediate))
                lost += try await client.claimRuns(workerID: worker, claimTimeout: .hours(1))
            }
            let scheduled = try await claimed("scheduled")
            let waiting = try await claimed("waiting")
            let cancelled = try await claimed("cancelled")
            let released = try await claimed("released")
            try await check(
                [
                    Row(
                        name: "setCheckpoint",
                        holds: """
                            select count(*) = 1 and min(state::text) = '1' from absurd.c_default
                            where task_id = '\(written.info.taskID)'
                            """
                    ) { try await client.setCheckpoint("s", of: written, to: 1) },
                    Row(
                        name: "extendClaim",
                        holds: """
                            select claim_expires_at between now() + interval '119 minutes' and now() + interval '121 minutes'
                            from absurd.r_default where run_id = '\(written.info.runID)'
                            """
                    ) { try await client.extendClaim(written, by: .hours(2)) },
                    Row(name: "complete", holds: states(completed, "completed completed")) {
                        try await client.complete(completed, result: 1)
                    },
                    Row(name: "fail", holds: states(failed, "pending failed pending")) {
                        try await client.fail(failed, TaskFailure("no"))
                    },
                    Row(
                        name: "claim",
                        holds: """
                            select count(*) = 1 from absurd.r_default where claimed_by = 'one of two' and state = 'running'
                            """
                    ) { _ = try await client.claimRuns(workerID: "one of two", limit: 5) },
                    Row(name: "fail for good", holds: states(ended, "failed failed")) {
                        try await client.fail(ended, TaskFailure("no"))
                    },
                    Row(name: "retry", holds: states(ended, "pending failed pending")) {
                        try await client.retryTask(ended.info.taskID)
                    },
                    Row(
                        name: "retryTaskAsNew",
                        holds: "select count(*) = 3 from absurd.t_default where task_name = 'again'"
                    ) { try await client.retryTaskAsNew(again.info.taskID) },
                    Row(
                        name: "workerLost",
                        holds: states(lost[0], "pending failed pending")
                    ) { _ = try await client.workerLost("lost worker") },
                    Row(
                        name: "processLost",
                        holds: states(lost[1], "pending failed pending")
                    ) { _ = try await client.processLost("lost process") },
                    Row(name: "schedule", holds: states(scheduled, "sleeping sleeping")) {
                        try await client.schedule(scheduled, after: .hours(1))
                    },
                    Row(
                        name: "awaitEvent",
                        holds: """
                            (\(states(waiting, "sleeping sleeping")))
                            and (select count(*) = 1 from absurd.w_default where run_id = '\(waiting.info.runID)')
                            """
                    ) { _ = try await client.awaitEvent("never", for: waiting, timeout: .hours(1)) },
                    Row(name: "cancel", holds: states(cancelled, "cancelled cancelled")) {
                        try await client.cancelTask(cancelled.info.taskID)
                    },
                    Row(name: "release", holds: states(released, "pending pending")) {
                        try await client.release(released)
                    },
                    Row(
                        name: "cleanUp",
                        holds: """
                            select count(*) = 0 from absurd.t_default where state in ('completed', 'failed', 'cancelled')
                            """
                    ) { _ = try await client.cleanUp("default", olderThan: .zero) },
                ], scene)
        }
    }
}
