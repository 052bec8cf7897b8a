import Absurd
import AbsurdSupervisor
import Foundation
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

/// With worker processes on a database.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct WorkersTests {
    private static let worker =
        URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(
            path: "SupervisedWorker"
        )
        .path

    private func supervising(
        _ children: Int, roll: SupervisorOptions.Roll = .startFirst,
        _ body: @Sendable @escaping (Supervised, AbsurdClient) async throws -> Void
    ) async throws {
        let url = TestDatabase.current.connectionString
        let client = try AbsurdClient(AbsurdConfiguration(url), logger: .quiet)
        try await client.createQueue("default")
        try await Supervised.run(
            [Self.worker], client: client,
            {
                $0.children = children
                $0.roll = roll
                $0.settleTime = .seconds(1)
                $0.environment["ABSURD_DATABASE_URL"] = url
            }
        ) { supervised in
            try await body(supervised, client)
        }
        await client.close()
    }

    /// How many of the queue's tasks are in a state, by attempt.
    private func count(_ state: String, attempt: Int = 1, _ client: AbsurdClient) async throws -> Int {
        let rows = try await client.query(
            "select count(*)::int4 from absurd.r_default where state = $1 and attempt = $2",
            [.text(state), .int(Int64(attempt))])
        return Int(try rows[0].decode(0, as: Int32.self))
    }

    @Test func `what a killed child had claimed is executed elsewhere at once`() async throws {
        try await supervising(3) { supervised, client in
            for _ in 0..<12 { _ = try await client.spawn("first attempt hangs", params: nil) }
            try await soon("all are held") { try await count("running", client) == 12 }
            let held = try await client.query(
                """
                select process_id::int4, count(*)::int4 as runs
                from absurd.r_default r join absurd_swift.workers w on w.worker_id = r.claimed_by
                where r.state = 'running' group by 1 limit 1
                """)
            let process = try held[0].decode("process_id", as: Int32.self)
            let runs = Int(try held[0].decode("runs", as: Int32.self))
            let start = ContinuousClock.now
            kill(process, SIGKILL)
            // Their claims would last ten minutes.
            try await soon("they are done elsewhere") {
                try await count("completed", attempt: 2, client) == runs
            }
            let time = ContinuousClock.now - start
            #expect(time < .minutes(2), "\(time)")
            try await soon {
                supervised.events.contains { event in
                    if case .claimsGivenBack(_, process, runs) = event { true } else { false }
                }
            }
            // The registry knows that it has been started again.
            try await soon {
                try await client.workers().map(\.restarts).sorted() == [0, 0, 1]
            }
        }
    }

    @Test func `what a child holds that ends with status 0 goes back, too`() async throws {
        try await supervising(1) { supervised, client in
            let task = try await client.spawn("first attempt exits", params: nil)
            _ = try await task.result(timeout: .minutes(3))
            #expect(supervised.ends.first?.end.isSuccess == true)
            try await soon {
                supervised.events.contains { event in
                    if case .claimsGivenBack(0, _, runs: 1) = event { true } else { false }
                }
            }
        }
    }

    @Test func `what children hold that are killed with their supervisor goes back, too`() async throws {
        try await supervising(2) { supervised, client in
            for _ in 0..<8 { _ = try await client.spawn("first attempt hangs", params: nil) }
            try await soon("all are held") { try await count("running", client) == 8 }
            supervised.supervisor.kill()
            // The claims would last ten minutes, and nobody else is there to notice.
            try await soon("the claims of both were given back, or that took too long") {
                supervised.events.count { event in
                    switch event {
                    case .claimsGivenBack, .claimsNotGivenBack: true
                    default: false
                    }
                } == 2
            }
            let back = supervised.events.reduce(0) { runs, event in
                if case .claimsGivenBack(_, _, let more) = event { runs + more } else { runs }
            }
            #expect(try await count("pending", attempt: 2, client) == back)
            for case .claimsNotGivenBack(_, _, let reason) in supervised.events {
                #expect(reason == "no answer within 1 s")
            }
        }
    }

    @Test func `a database that does not answer keeps nobody from ending`() async throws {
        let proxy = try TCPProxy(to: 1)
        proxy.become(.silent)
        defer { proxy.close() }
        let client = try AbsurdClient(
            AbsurdConfiguration("postgresql://nobody@127.0.0.1:\(proxy.port)/none"), logger: .quiet)
        for isKilled in [false, true] {
            let start = Mutex(ContinuousClock.now)
            try await Supervised.run("exec sleep 600", client: client) { supervised in
                try await supervised.untilRunning(1)
                start.withLock { $0 = .now }
                if isKilled { supervised.supervisor.kill() } else { supervised.supervisor.stop() }
            }
            // Connecting alone would take ten.
            #expect(.now - start.withLock(\.self) < .seconds(8))
        }
        await client.close()
    }

    @Test func `a handler that traps costs its process and an attempt, and nobody's task`() async throws {
        try await supervising(2) { supervised, client in
            let task = try await client.spawn("first attempt traps", params: nil)
            for _ in 0..<20 { _ = try await client.spawn("short", params: nil) }
            try await soon("all are completed") {
                let rows = try await client.query(
                    "select count(*)::int4 from absurd.t_default where state = 'completed'")
                return try rows[0].decode(0, as: Int32.self) == 21
            }
            // A crash that is being reported takes its time, and others may take over before it is through.
            try await soon("the process has ended") { !supervised.ends.isEmpty }
            let end = try #require(supervised.ends.first)
            #expect(end.end == .signalled(SIGILL) || end.end == .signalled(SIGTRAP))
            #expect(try await client.taskDetail(task.taskID, on: "default")?.summary.attempt == 2)
            try await supervised.untilRunning(2)
        }
    }

    @Test(arguments: [SupervisorOptions.Roll.startFirst, .stopFirst])
    func `a roll loses no task and spends no attempt`(_ roll: SupervisorOptions.Roll) async throws {
        try await supervising(2, roll: roll) { supervised, client in
            try await supervised.untilRunning(2)
            // A process that has hardly begun would end by its SIGTERM.
            try await soon("both work") { try await client.workers().count == 2 }
            let old = Set(supervised.processes)
            var options = SpawnOptions()
            options.maxAttempts = 1
            for _ in 0..<20 { _ = try await client.spawn("short", params: nil, options: options) }
            supervised.supervisor.roll()
            var tasks = 20
            repeat {
                // One that is through, so that tasks keep coming until the roll has ended.
                _ = try await client.spawn("short", params: nil, options: options).result()
                for _ in 0..<4 { _ = try await client.spawn("short", params: nil, options: options) }
                tasks += 5
            } while !supervised.events.contains(.rollEnded)
            #expect(old.isDisjoint(with: supervised.processes))
            try await soon("all are completed at the first attempt") {
                try await count("completed", client) == tasks
            }
            #expect(supervised.ends.allSatisfy { $0.isExpected && $0.end.isSuccess })
        }
    }
}
