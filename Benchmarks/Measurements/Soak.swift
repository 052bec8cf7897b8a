import Absurd
import ArgumentParser
import BenchmarkSupport
import Foundation
import LibPQ

/// Tasks at a steady rate for a long time, with the ended ones cleaned up: nothing may slow down or grow.
struct Soak: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Spawns and drains at half of full speed for a long time.")

    @Option(help: "Minutes.")
    var minutes = 15

    @Option(help: "Tasks a second; half of what a drain of a new queue reaches, unless given.")
    var rate: Int?

    @OptionGroup var report: ReportOptions

    static let queue = "soak"
    /// Tasks of the drains before and afterwards.
    private static let drained = 60_000

    /// One minute, as the rows and the statistics say at its end.
    struct Minute {
        var completed: Double
        var pickupMedian: Double
        var deadRows: Double
        var megabytes: Double
    }

    func run() async throws {
        let figures = try await PrivateDatabase.with { database in
            let full = try await fullSpeed(database)
            let rate = rate ?? Int(full / 2)
            let draining = try await Draining(database, queue: Self.queue)
            let worker = try await WorkerProcess.start("empty", queue: Self.queue, database)
            let samples = try await withThrowingTaskGroup(of: [Minute]?.self) { group in
                group.addTask {
                    try await spawn(draining, rate)
                    return nil
                }
                group.addTask {
                    try await cleanUp(database)
                    return nil
                }
                group.addTask { try await watch(database) }
                while let samples = try await group.next() {
                    guard let samples else { continue }
                    group.cancelAll()
                    return samples
                }
                return []
            }
            try await database.wait(
                for: "the last tasks", until: .now + .seconds(300),
                "select not exists (select from absurd.r_\(Self.queue) where state in ('pending', 'running'))"
            )
            try await worker.stop()
            // The same tables, with all that has gathered in them.
            let last = try await draining.rate(of: Self.drained, processes: 1)
            return verdict(rate, samples, drains: (full, last))
        }
        try figures.publish(report)
    }

    /// Tasks a second that a new queue is drained with.
    private func fullSpeed(_ database: PrivateDatabase) async throws -> Double {
        let draining = try await Draining(database, queue: "full_speed")
        let full = try await draining.rate(of: Self.drained, processes: 1)
        try await database.client.dropQueue(draining.queue)
        progress("full speed \(Int(full)) tasks a second")
        return full
    }

    /// Spawns a tenth of a second's tasks ten times a second, catching up when one took longer.
    private func spawn(_ draining: Draining, _ rate: Int) async throws {
        let start = ContinuousClock.now
        var spawned = 0
        while !Task.isCancelled {
            let wanted = Int((ContinuousClock.now - start).seconds * Double(rate))
            if wanted > spawned {
                try await draining.spawn(wanted - spawned)
                spawned = wanted
            }
            // Cancelled at the end.
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Deletes what ended more than 30 seconds ago, as a service would with its own retention.
    private func cleanUp(_ database: PrivateDatabase) async throws {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(5))
            var deleted = 1
            while deleted > 0, !Task.isCancelled {
                deleted = try await database.value(
                    "select absurd.cleanup_tasks($1, 30, 5000)", [.text(Self.queue)])
            }
        }
    }

    private func watch(_ database: PrivateDatabase) async throws -> [Minute] {
        var samples: [Minute] = []
        for minute in 1...minutes {
            try await Task.sleep(for: .seconds(60))
            let row = try await database.client.pool.query(
                """
                with recent as (
                  select r.created_at, r.started_at from absurd.r_\(Self.queue) r
                   where r.state = 'completed' and r.completed_at > clock_timestamp() - interval '20 s'
                )
                select (select count(*) from recent) / 20.0::float8 as completed,
                       (select percentile_cont(0.5) within group (
                          order by extract(epoch from started_at - created_at)::float8) from recent) as pickup,
                       (select sum(n_dead_tup)::float8 from pg_stat_user_tables
                         where schemaname = 'absurd' and relname in ('t_\(Self.queue)', 'r_\(Self.queue)')) as dead,
                       (pg_total_relation_size('absurd.t_\(Self.queue)')
                        + pg_total_relation_size('absurd.r_\(Self.queue)')) / 1e6::float8 as megabytes
                """, timeout: .seconds(120))[0]
            let sample = Minute(
                completed: try row.decode("completed"),
                pickupMedian: try row.decode("pickup", as: Double?.self) ?? .nan,
                deadRows: try row.decode("dead"), megabytes: try row.decode("megabytes"))
            progress(
                "minute \(minute): \(Int(sample.completed)) tasks a second, \(Int(sample.pickupMedian * 1000)) ms from spawn to start, \(Int(sample.deadRows)) dead rows, \(Int(sample.megabytes)) MB"
            )
            samples.append(sample)
        }
        return samples
    }

    private func verdict(_ rate: Int, _ samples: [Minute], drains: (new: Double, old: Double)) -> Report {
        var report = Report(measurement: "\(rate) empty tasks a second for \(minutes) minutes")
        // The first minute fills caches; what is compared are the thirds of the rest.
        let settled = Array(samples.dropFirst())
        let third = max(settled.count / 3, 1)
        let (first, last) = (Array(settled.prefix(third)), Array(settled.suffix(third)))
        let ratio = last.map(\.completed).median / first.map(\.completed).median
        report.add("tasks a second in the first third", first.map(\.completed).median)
        report.add("in the last third", last.map(\.completed).median)
        report.add("ratio", ratio)
        report.add("spawn to start in the first third", first.map(\.pickupMedian).median * 1000, "ms")
        report.add("in the last third", last.map(\.pickupMedian).median * 1000, "ms")
        report.add("dead rows at most", settled.map(\.deadRows).max() ?? .nan)
        report.add("size in the first third at most", first.map(\.megabytes).max() ?? .nan, "MB")
        report.add("size in the last third at most", last.map(\.megabytes).max() ?? .nan, "MB")
        report.add("drain of a new queue", drains.new, "tasks/s")
        report.add("drain of this queue afterwards", drains.old, "tasks/s")
        report.promise(
            "full speed at the end within 10 % of that of a new queue", drains.old >= 0.9 * drains.new)
        report.promise("throughput at the end within 10 % of the start", abs(1 - ratio) <= 0.1)
        report.promise(
            "the tables do not go on growing",
            (last.map(\.megabytes).max() ?? .nan) <= 1.25 * (first.map(\.megabytes).max() ?? .nan))
        // Autovacuum comes when a fifth of a table is dead, and 30 seconds of ended tasks are there at any time.
        report.promise(
            "dead rows do not go on growing",
            (last.map(\.deadRows).max() ?? .nan) <= 1.5 * (first.map(\.deadRows).max() ?? .nan))
        return report
    }
}
