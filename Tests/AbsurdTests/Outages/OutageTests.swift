import Absurd
import Foundation
import InMemoryLogging
import LibPQ
import Logging
import TestSupport
import Testing

/// Two pools, each with a client of its own as in two processes and with 64 slots together, under load, while their
/// database goes away and comes back.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct OutageTests {
    private static let tasks = 1200
    private static let steps = 3

    private struct Member: Sendable {
        let client: AbsurdClient
        let pool: WorkerPool
        let logs = InMemoryLogHandler()

        init(_ scene: OutageScene) throws {
            var configuration = AbsurdConfiguration(scene.connectionString)
            configuration.maxConnections = 4
            client = try AbsurdClient(configuration, logger: Logger(label: "outage") { [logs] _ in logs })
            pool = try WorkerPool(client, handlers: [OutageTests.handler], options: OutageTests.options)
        }
    }

    @Test(arguments: Outage.chosen)
    func `work goes on after an outage, nothing is lost, and the log stays short`(_ outage: Outage)
        async throws
    {
        try await OutageScene.with(outage) { scene in
            let duration = Self.duration
            if scene.standby != nil { try await scene.replicateSynchronously() }
            let members = [try Member(scene), try Member(scene)]
            try await Self.spawn(through: members[0].client)

            try await withThrowingTaskGroup(of: Void.self) { group in
                for member in members {
                    group.addTask {
                        try await member.pool.run()
                        if !Task.isCancelled { throw PoolEnded() }
                    }
                }
                group.addTask { try await Self.observe(scene, outage, duration, members) }
                try await group.next()
                for member in members { #expect(member.pool.health.isLive) }
                group.cancelAll()
            }
            for member in members { await member.client.close() }
        }
    }

    private static func observe(
        _ scene: OutageScene, _ outage: Outage, _ duration: Duration, _ members: [Member]
    ) async throws {
        try await eventually("the pools are at work") {
            try await scene.count("absurd.t_default where state = 'completed'", of: scene.server) >= 64
        }
        let attemptsBefore = scene.attempts
        let linesBefore = members.map(\.logs.entries.count)
        let start = ContinuousClock.now
        try await scene.suffer(outage, for: duration)
        let accepting = ContinuousClock.now
        let accepted: String = try await scene.rows("select clock_timestamp()::text")[0].decode(0)

        #expect(try await scene.count(done) < tasks, "the load has outlasted the outage")
        try await eventually("each worker records something") {
            try await scene.rows(recording(since: accepted))[0].decode(0, as: Int.self) >= 4
        }
        let recovery = ContinuousClock.now - accepting
        let attempts = scene.attempts - attemptsBefore
        // Those that a lost claim held are attempted again when it has expired.
        try await eventually("all tasks complete", within: .seconds(120)) {
            try await scene.count(done) == tasks
        }
        let rest = ContinuousClock.now - accepting
        let lines = zip(members, linesBefore).map { member, before in
            member.logs.entries.dropFirst(before).filter { $0.level >= .info }
        }

        print(
            "outage: \(outage.rawValue): \(accepting - start) long, all workers recording after \(recovery), the last",
            "task done after \(rest), \(attempts) connection attempts, \(lines.map(\.count)) lines")
        for lines in lines {
            #expect(lines.count <= 5, "\(lines.map { "\($0.message) \($0.metadata)" })")
            #expect(lines.allSatisfy { $0.level == .info })
            // Two are the limit that `OutageLines` has: a worker may notice late, after the others are back.
            if outage.isTotal {
                #expect((1...2).contains(lines.count { $0.message == "the database answers again" }))
            }
        }
        // That it was met at all: somebody has noticed.
        #expect(outage == .slow || lines.contains { !$0.isEmpty })
        // Ten quick ones and about three a second for each client, beside the connections that are made for those that
        // broke.
        let seconds = (accepting + recovery - start) / .seconds(1)
        #expect(Double(attempts - 12 * outage.breaks) < 2 * (10 + 4 * seconds))
        #expect(recovery < outage.recovery)
        try await expectAllRecordedOnce(scene)
        // An outage is nobody's death.
        #expect(
            try await scene.count("absurd.r_default where failure_reason ->> 'name' = '$WorkerLost'") == 0)
    }

    /// How many workers have recorded a step since then.
    private static func recording(since instant: String) -> String {
        """
        select count(distinct r.claimed_by) from absurd.c_default c
          join absurd.r_default r on r.run_id = c.owner_run_id where c.updated_at > '\(instant)'
        """
    }

    /// Each task's result consists of the values that its steps have recorded.
    private static func expectAllRecordedOnce(_ scene: OutageScene) async throws {
        #expect(try await scene.count("absurd.c_default") == tasks * steps)
        let agreeing = try await scene.count(
            """
            absurd.t_default t
             where completed_payload = (
               select jsonb_agg(state order by checkpoint_name) from absurd.c_default c where c.task_id = t.task_id)
            """)
        #expect(agreeing == tasks)
    }

    private static let done = "absurd.t_default where state = 'completed'"

    /// Long enough for every pause to reach its longest where `ABSURD_OUTAGE_SECONDS` says so.
    private static var duration: Duration {
        let text = ProcessInfo.processInfo.environment["ABSURD_OUTAGE_SECONDS"] ?? ""
        return .seconds(Int(text) ?? 4)
    }

    private static var options: WorkerOptions {
        var options = WorkerOptions()
        options.workers = 2
        options.concurrency = 16
        options.claimTimeout = .seconds(10)
        options.shutdownGrace = .zero
        return options
    }

    private static let handler = Handler("order") { context in
        var values: [JSONValue] = []
        for step in 1...steps {
            let value = try await context.step("step \(step)") {
                try await Task.sleep(for: .milliseconds(100))
                return Int.random(in: 0...1 << 40)
            }
            values.append(.integer(Int64(value)))
        }
        return .complete(.array(values))
    }

    private static func spawn(through client: AbsurdClient) async throws {
        let options = SpawnOptions(maxAttempts: 50, retry: .fixed(.zero))
        _ = try await client.spawnMany(
            (0..<tasks).map { _ in try SpawnRequest("order", params: nil, options: options) })
    }
}

private struct PoolEnded: Error {}
