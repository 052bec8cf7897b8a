import Absurd
import LibPQ

/// The functions that a worker calls, driven without one: what Postgres makes a task cost.
extension Bench {
    func ceiling() async throws -> BenchFigure {
        let usage = ProcessUsage()
        var best: (rate: Double, batch: Int, connections: Int) = (0, 0, 0)
        var measured: [String: Double] = [:]
        for connections in [1, 2, 4] {
            for batch in [50, 100, 200, 500] {
                try await prepare("ceiling", settings.count)
                let start = ContinuousClock.now
                try await drainInSQL(batch: batch, connections: connections)
                let rate = Double(settings.count) / seconds(since: start)
                measured["\(connections) x \(batch)"] = rate
                if rate > best.rate { best = (rate, batch, connections) }
            }
        }
        var figure = figure(
            settings.count, Double(settings.count) / best.rate, unit: "tasks/s", usage, measured: measured)
        figure.settings = ["batch": best.batch, "connections": best.connections]
        return figure
    }

    private func drainInSQL(batch: Int, connections: Int) async throws {
        let pool = client.pool
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<connections {
                group.addTask {
                    try await pool.withConnection { connection in
                        try await drain(on: connection, as: "ceiling-\(number)", batch: batch)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func drain(on connection: PostgresConnection, as worker: String, batch: Int) async throws {
        var from: PostgresTimestamp?
        while true {
            let claimed = try await connection.query(
                "select run_id, token, due from absurd_swift.claim($1, $2, 120, $3, $4, false, false, true)",
                [.text(queue), .text(worker), .int(Int64(batch)), from.map { .timestamp($0) } ?? .null])
            guard !claimed.isEmpty else {
                if from == nil { return }
                from = nil
                continue
            }
            from = try claimed[0].decode("due", as: PostgresTimestamp.self)
            _ = try await connection.query(
                "select answer from absurd_swift.complete($1, $2, $3, $4, $5)",
                [
                    .text(queue), .text(worker), .uuidArray(try claimed.map { try $0.decode("run_id") }),
                    .timestampArray(try claimed.map { try $0.decode("token") }),
                    .textArray(Array(repeating: "null", count: claimed.count)),
                ])
        }
    }
}
