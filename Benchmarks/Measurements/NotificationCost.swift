import Absurd
import ArgumentParser
import BenchmarkSupport
import LibPQ

/// What it costs those who spawn that idle workers are told.
///
/// The same spawners on two queues in turn, one of which has the trigger. Nobody is armed, as while all workers are busy.
struct NotificationCost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notifications", abstract: "Compares spawning with and without waking idle workers.")

    @Option(help: "Connections that spawn one task after the other.")
    var spawners = 16

    @Option(help: "Seconds of each measurement.")
    var seconds = 4

    @Option(help: "How often each queue is measured.")
    var rounds = 5

    @Option(help: "How much of the throughput notifications may cost while nobody is armed.")
    var bound = 0.15

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let figures = try await PrivateDatabase.with { database in
            for queue in ["silent", "telling"] { try await database.client.createQueue(queue) }
            // What the first worker of a queue does.
            try await database.execute(
                try await database.value("select statement from absurd_swift.missing_triggers('telling')"))
            var single: [String: [Double]] = [:]
            var batched: [String: [Double]] = [:]
            for round in 0..<rounds {
                for queue in round.isMultiple(of: 2) ? ["silent", "telling"] : ["telling", "silent"] {
                    single[queue, default: []].append(try await spawnRate(queue, database))
                    batched[queue, default: []].append(try await batchRate(queue, database))
                }
            }
            return verdict(single.mapValues(\.median), batched.mapValues(\.median))
        }
        try figures.publish(report)
    }

    /// Where a statement and a commit are shared, what each row costs shows most.
    private func batchRate(_ queue: String, _ database: PrivateDatabase) async throws -> Double {
        let draining = Draining(of: queue, in: database)
        let start = ContinuousClock.now
        var count = 0
        while .now < start + .seconds(seconds) {
            try await draining.spawn(10_000)
            count += 10_000
        }
        let rate = Double(count) / (ContinuousClock.now - start).seconds
        progress("\(queue): \(Int(rate)) spawns a second in batches")
        return rate
    }

    private func spawnRate(_ queue: String, _ database: PrivateDatabase) async throws -> Double {
        let end = ContinuousClock.now + .seconds(seconds)
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<spawners {
                group.addTask {
                    let connection = try await database.connect()
                    var count = 0
                    while .now < end {
                        _ = try await connection.query(
                            """
                            select task_id from absurd_swift.spawn(
                              $1, null, null, array['empty'], array['{"number": 1}'], array[null::text])
                            """, [.text(queue)])
                        count += 1
                    }
                    await connection.close()
                    return count
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let rate = Double(counts.reduce(0, +)) / Double(seconds)
        progress("\(queue): \(Int(rate)) spawns a second")
        return rate
    }

    private func verdict(_ single: [String: Double], _ batched: [String: Double]) -> Report {
        var report = Report(
            measurement:
                "\(spawners) connections, and batches of 1,000, that spawn while no worker is idle, \(rounds) times \(seconds) s"
        )
        for (name, rates) in [("one by one", single), ("in batches", batched)] {
            let (silent, telling) = (rates["silent"] ?? .nan, rates["telling"] ?? .nan)
            report.add("\(name), without notifications", silent, "tasks/s")
            report.add("\(name), with notifications", telling, "tasks/s")
            report.add("\(name), lost", 1 - telling / silent)
            report.promise("\(name) at most \(bound) is lost", 1 - telling / silent <= bound)
        }
        return report
    }
}
