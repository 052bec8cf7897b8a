import Absurd
import LibPQ

/// Tasks that wait: for a time, for one event, for an event each.
extension Bench {
    func sleepers() async throws -> BenchFigure {
        let handler = Handler("sleeper") { context in
            let offset: [String: Double] = try context.params(as: [String: Double].self)
            try await context.sleep(for: .seconds(offset["seconds"] ?? 0))
            return .complete
        }
        let count = settings.count
        // Everybody is asleep before the first is due, and then 5,000 are each second.
        let lead = 15.0
        for batch in stride(from: 0, to: count, by: 1000) {
            let requests = try (batch..<min(batch + 1000, count)).map { number in
                let seconds = lead + 10.0 * Double(number) / Double(count)
                return try SpawnRequest("sleeper", params: ["seconds": .double(seconds)], on: queue)
            }
            _ = try await client.spawnMany(requests)
        }
        let pool = try makePool([handler])
        let usage = ProcessUsage()
        let start = ContinuousClock.now
        let (last, lateness) = try await running(pool) {
            let last = try await waitForCompletion(of: count)
            let rows = try await rows(
                """
                select percentile_cont(array[0.5, 0.95, 0.99]) within group (
                  order by extract(epoch from r.completed_at - (c.state #>> '{}')::timestamptz) * 1000)::float8[]::text
                from \(table("r")) r join \(table("c")) c on c.task_id = r.task_id
                """)
            return (last, try rows[0].decode(0, as: String.self))
        }
        _ = last
        let values = lateness.dropFirst().dropLast().split(separator: ",").compactMap { Double($0) }
        let percentiles = Dictionary(uniqueKeysWithValues: zip(["p50", "p95", "p99"], values))
        return figure(count, seconds(since: start), unit: "tasks/s", usage, percentiles: percentiles)
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
