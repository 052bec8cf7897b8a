import Absurd
import LibPQ
import Synchronization

/// What size costs: of the backlog, of the process, of doing nothing.
extension Bench {
    /// One claim at a time, completed afterwards, behind 1,000 due tasks and behind many, in turn, so that both
    /// meet the same machine.
    func backlog() async throws -> BenchFigure {
        let usage = ProcessUsage()
        let samples = 1000
        let long = queue + "_long"
        try await client.createQueue(long)
        do {
            try await fill(queue, due: 1000 + samples, ended: 0, sleeping: 0)
            try await fill(
                long, due: settings.count + samples, ended: settings.count, sleeping: settings.count / 10)
            try await writeBack()
            var times: [String: [Duration]] = [:]
            let start = ContinuousClock.now
            for round in 0..<samples {
                for queue in round.isMultiple(of: 2) ? [queue, long] : [long, queue] {
                    times[queue, default: []].append(try await claimOne(from: queue))
                }
            }
            let seconds = seconds(since: start)
            try await client.dropQueue(long)
            return figure(
                samples, seconds, usage, behindFew: (times[queue] ?? []).percentilesMs,
                behindMany: (times[long] ?? []).percentilesMs)
        } catch {
            try? await client.dropQueue(long)
            throw error
        }
    }

    private func figure(
        _ samples: Int, _ seconds: Double, _ usage: ProcessUsage, behindFew few: [String: Double],
        behindMany many: [String: Double]
    ) -> BenchFigure {
        var measured: [String: Double] = [:]
        for name in ["p50", "p95", "p99"] {
            guard let before = few[name], let after = many[name] else { continue }
            measured["behind 1,000, \(name) ms"] = before
            measured["ratio \(name)"] = after / before
        }
        return figure(
            samples, seconds, unit: "claims/s", usage, percentiles: many, measured: measured)
    }

    private func claimOne(from queue: String) async throws -> Duration {
        let start = ContinuousClock.now
        let runs = try await client.claimRuns(on: queue, workerID: "bench")
        let time = ContinuousClock.now - start
        for run in runs { try await client.complete(run, result: JSONValue.null) }
        return time
    }

    /// Writes rows as spawning, completing and sleeping would have left them, and lets the statistics know.
    private func fill(_ queue: String, due: Int, ended: Int, sleeping: Int) async throws {
        let (tasks, runs) = ("absurd.\"t_\(queue)\"", "absurd.\"r_\(queue)\"")
        for (state, count, time) in [
            ("pending", due, "now() - random() * interval '1 hour'"), ("completed", ended, "now()"),
            ("sleeping", sleeping, "now() + interval '1 day' * (1 + random())"),
        ] where count > 0 {
            _ = try await rows(
                """
                with t as (
                  insert into \(tasks) (task_id, task_name, params, state, attempts)
                  select absurd.portable_uuidv7(), 'filler', '{"number": 1}', '\(state)', 1
                  from generate_series(1, \(count))
                  returning task_id
                )
                insert into \(runs) (run_id, task_id, attempt, state, available_at, completed_at)
                select absurd.portable_uuidv7(), task_id, 1, '\(state)', \(time),
                  case when '\(state)' = 'completed' then now() end
                from t
                """)
        }
        _ = try await rows("vacuum analyze \(runs), \(tasks)")
    }

    /// Has the filled pages written now rather than during the claims, where the user may say so.
    private func writeBack() async throws {
        do {
            _ = try await rows("checkpoint")
        } catch let error as AbsurdError where error.sqlState == "42501" {}
    }

    /// Handlers that all execute at the same time.
    func held() async throws -> BenchFigure {
        let count = settings.count
        let point = Gathering(count)
        let handler = Handler("held") { context in
            try await context.step("before") { 1 }
            await point.arriveAndWait()
            return .complete
        }
        try await prepare("held", count)
        let before = ProcessUsage.residentMegabytes
        let pool = try makePool([handler])
        return try await running(pool) {
            let usage = ProcessUsage()
            let start = ContinuousClock.now
            await point.full()
            let resident = ProcessUsage.residentMegabytes
            let seconds = seconds(since: start)
            point.open()
            _ = try await waitForCompletion(of: count)
            return figure(
                count, seconds, unit: "tasks/s", usage,
                measured: ["resident MB with all executing": resident, "resident MB before": before])
        }
    }

    /// Statements as `pg_stat_statements` counts them, where it is installed.
    func idle() async throws -> BenchFigure {
        let pool = try makePool([Handler("nothing") { _ in .complete }])
        return try await running(pool) {
            // Until the pool has settled.
            try await Task.sleep(for: .seconds(3))
            let before = try await statements()
            let usage = ProcessUsage()
            let start = ContinuousClock.now
            try await Task.sleep(for: settings.duration)
            let seconds = seconds(since: start)
            let cpu = usage.cpuSeconds
            var measured = ["CPU percent": cpu / seconds * 100]
            if let before, let after = try await statements() {
                // Two of them are this measurement's own.
                measured["statements/minute"] = Double(after - before - 2) / seconds * 60
            }
            return figure(1, seconds, unit: "pools", usage, measured: measured)
        }
    }

    private func statements() async throws -> Int? {
        let installed = try await value(
            "select exists (select from pg_extension where extname = 'pg_stat_statements')", as: Bool.self)
        guard installed else { return nil }
        return try await value(
            """
            select coalesce(sum(calls), 0)::bigint from pg_stat_statements
            where dbid = (select oid from pg_database where datname = current_database())
            """)
    }
}

/// Holds so many until all are there and the gate is opened.
private final class Gathering: Sendable {
    private let count: Int
    private let arrived = Mutex(0)
    private let changes = ChangeSignal()
    private let isOpen = Mutex(false)

    init(_ count: Int) { self.count = count }

    func arriveAndWait() async {
        let number = arrived.withLock { arrived in
            arrived += 1
            return arrived
        }
        if number == count { changes.signal() }
        while true {
            let ticket = changes.ticket()
            if isOpen.withLock(\.self) { return }
            await changes.wait(after: ticket)
        }
    }

    func full() async {
        while true {
            let ticket = changes.ticket()
            if arrived.withLock({ $0 >= count }) { return }
            await changes.wait(after: ticket)
        }
    }

    func open() {
        isOpen.withLock { $0 = true }
        changes.signal()
    }
}
