import Absurd
import LibPQ

/// How much goes through.
extension Bench {
    func spawnOneByOne() async throws -> BenchFigure {
        let callers = 16
        try await prepare("warm-up", 100)
        let usage = ProcessUsage()
        let start = ContinuousClock.now
        let count = settings.count / callers
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    for number in 0..<count {
                        _ = try await client.spawn(
                            "empty", params: ["number": .integer(Int64(number))], on: queue)
                    }
                }
            }
            try await group.waitForAll()
        }
        return figure(count * callers, seconds(since: start), unit: "tasks/s", usage)
    }

    func spawnInBatches() async throws -> BenchFigure {
        try await prepare("warm-up", 100)
        let usage = ProcessUsage()
        let start = ContinuousClock.now
        let batches = max(settings.count / 1000, 1)
        // Two at a time, so that the client encodes one while the server writes the other.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for half in 0..<2 {
                group.addTask {
                    for batch in stride(from: half, to: batches, by: 2) {
                        let requests = try (0..<1000).map {
                            try SpawnRequest(
                                "empty", params: ["number": .integer(Int64(batch * 1000 + $0))], on: queue)
                        }
                        _ = try await client.spawnMany(requests)
                    }
                }
            }
            try await group.waitForAll()
        }
        return figure(batches * 1000, seconds(since: start), unit: "tasks/s", usage)
    }

    func drain() async throws -> BenchFigure {
        try await throughput("empty", unit: "tasks/s", [Handler("empty") { _ in .complete }])
    }

    func steps() async throws -> BenchFigure {
        let handler = Handler("workflow") { context in
            var sum = 0
            for number in 0..<5 {
                sum += try await context.step("step \(number)") { number }
            }
            return .complete(.integer(Int64(sum)))
        }
        var figure = try await throughput("workflow", unit: "workflows/s", [handler])
        figure.measured = ["steps/s": figure.rate * 5]
        return figure
    }

    /// Tasks that all are there when the worker starts; from its start to the last completion.
    private func throughput(_ taskName: String, unit: String, _ handlers: [Handler]) async throws
        -> BenchFigure
    {
        try await prepare(taskName, settings.count)
        let pool = try makePool(handlers)
        let usage = ProcessUsage()
        let start = try await now()
        let count = settings.count
        let end = try await running(pool) { try await waitForCompletion(of: count) }
        return figure(count, Double(end.microseconds - start.microseconds) / 1e6, unit: unit, usage)
    }

    func seconds(since start: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - start) / .seconds(1)
    }
}
