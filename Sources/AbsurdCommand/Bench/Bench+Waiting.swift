import Absurd
import Foundation
import LibPQ

/// Tasks that wait: for a time, for one event, for an event each.
extension Bench {
    func sleepers() async throws -> BenchFigure {
        let handler = Handler("sleeper") { context in
            let due = try context.params(as: [String: Double].self)["due"] ?? 0
            try await context.sleep(until: Date(timeIntervalSince1970: due))
            return .complete
        }
        let count = settings.count
        // Time for all to fall asleep before the first is due.
        let lead = 15 + Double(count) / 5000
        let first = Date.now.timeIntervalSince1970 + lead
        for batch in stride(from: 0, to: count, by: 1000) {
            let requests = try (batch..<min(batch + 1000, count)).map { number in
                let due = first + 10.0 * Double(number) / Double(count)
                return try SpawnRequest("sleeper", params: ["due": .double(due)], on: queue)
            }
            _ = try await client.spawnMany(requests)
        }
        return try await running(try makePool([handler])) {
            while try await value("select count(*) from \(table("r")) where state = 'sleeping'", as: Int.self)
                < count
            {
                guard Date.now.timeIntervalSince1970 < first else {
                    throw AbsurdError(
                        .database,
                        "only some of \(count) tasks had fallen asleep when the first was due; try fewer")
                }
                try await Task.sleep(for: .milliseconds(200))
            }
            let usage = ProcessUsage()
            let last = try await waitForCompletion(of: count)
            return figure(
                count, last.date.timeIntervalSince1970 - first, unit: "tasks/s", usage,
                percentiles: try await lateness())
        }
    }

    /// From when each was due to its completion.
    private func lateness() async throws -> [String: Double] {
        let rows = try await rows(
            """
            with late as (
              select extract(epoch from r.completed_at)::float8 - (t.params ->> 'due')::float8 as seconds
                from \(table("r")) r join \(table("t")) t on t.task_id = r.task_id
            )
            select percentile_cont(0.5) within group (order by seconds) as p50,
                   percentile_cont(0.95) within group (order by seconds) as p95,
                   percentile_cont(0.99) within group (order by seconds) as p99 from late
            """)
        return Dictionary(
            uniqueKeysWithValues: try ["p50", "p95", "p99"].map { name in
                (name, max(0, try rows[0].decode(name, as: Double.self)) * 1000)
            })
    }

    func fanOut() async throws -> BenchFigure {
        try await wakeWaiting(
            event: { _ in "everybody" },
            emit: { try await client.emitEvent("everybody", 1, on: queue) })
    }

    func events() async throws -> BenchFigure {
        let count = settings.count
        return try await wakeWaiting(
            event: { "event \($0)" },
            emit: {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for caller in 0..<64 {
                        group.addTask {
                            for number in stride(from: caller, to: count, by: 64) {
                                try await client.emitEvent("event \(number)", number, on: queue)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            })
    }

    /// From the first emission to the last completion.
    private func wakeWaiting(
        event: @escaping @Sendable (Int) -> String, emit: @escaping @Sendable () async throws -> Void
    ) async throws -> BenchFigure {
        let handler = Handler("waiter") { context in
            let number: [String: Int] = try context.params(as: [String: Int].self)
            let value: Int = try await context.awaitEvent(event(number["number"] ?? 0), name: "wait")
            return .complete(.integer(Int64(value)))
        }
        let count = settings.count
        for batch in stride(from: 0, to: count, by: 1000) {
            _ = try await client.spawnMany(
                (batch..<min(batch + 1000, count)).map {
                    try SpawnRequest("waiter", params: ["number": .integer(Int64($0))], on: queue)
                })
        }
        let pool = try makePool([handler])
        return try await running(pool) {
            while try await value("select count(*) from \(table("w"))", as: Int.self) < count {
                try await Task.sleep(for: .milliseconds(20))
            }
            _ = try await rows("analyze \(table("r")), \(table("t")), \(table("w"))")
            let usage = ProcessUsage()
            let start = try await now()
            try await emit()
            let end = try await waitForCompletion(of: count)
            return figure(
                count, Double(end.microseconds - start.microseconds) / 1e6, unit: "tasks/s", usage)
        }
    }
}
