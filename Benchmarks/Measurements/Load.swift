import Absurd
import BenchmarkSupport
import LibPQ

/// Keeps so many tasks of a queue open, and no more: what is interrupted waits behind all that was due before it.
struct Load: Sendable {
    private let database: PrivateDatabase
    private let open: Int

    init(_ database: PrivateDatabase, open: Int) {
        self.database = database
        self.open = open
    }

    /// Spawns tasks while `body` runs.
    func during<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await spawn() }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    private func spawn() async throws {
        let count = """
            select count(*) from absurd.t_\(Recovery.queue) where state in ('pending', 'running', 'sleeping')
            """
        while !Task.isCancelled {
            let missing = open - (try await database.value(count, as: Int.self))
            if missing > 0 {
                let requests = try (0..<missing).map { _ in
                    var request = try SpawnRequest("work", params: .null, on: Recovery.queue)
                    request.options.maxAttempts = .unlimited
                    return request
                }
                _ = try await database.client.spawnMany(requests)
            }
            // Cancelled at the end.
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
