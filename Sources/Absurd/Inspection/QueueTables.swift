package import LibPQ

/// The names of a queue's tables, qualified and quoted by the server, ready to stand in a statement.
package struct QueueTables: Sendable, Hashable {
    let queue: String
    let tasks: String
    let runs: String
    let checkpoints: String
    let waits: String

    /// The tables of one queue, or of all in the order of their names.
    static func read(_ queue: String?, on connection: PostgresConnection) async throws -> [QueueTables] {
        let rows = try await connection.query(
            """
            select queue_name, format('absurd.%I', 't_' || queue_name) as tasks,
              format('absurd.%I', 'r_' || queue_name) as runs,
              format('absurd.%I', 'c_' || queue_name) as checkpoints,
              format('absurd.%I', 'w_' || queue_name) as waits
            from absurd.queues where $1::text is null or queue_name = $1 order by queue_name
            """, [queue.map { .text($0) } ?? .null])
        return try rows.map { row in
            QueueTables(
                queue: try row.decode("queue_name"), tasks: try row.decode("tasks"),
                runs: try row.decode("runs"),
                checkpoints: try row.decode("checkpoints"), waits: try row.decode("waits"))
        }
    }
}

extension AbsurdClient {
    /// Reads from the tables of a queue, or of all, in one transaction whose statements see the same rows.
    ///
    /// - Throws: ``AbsurdError`` with the code `queueMissing` when the named queue does not exist.
    package func reading<Result>(
        _ queue: String?, _ body: (PostgresConnection, [QueueTables]) async throws -> Result
    ) async throws -> Result {
        try await translatingErrors {
            // A queue that is dropped meanwhile takes its tables along; what is left is read again.
            try await repeating(3, after: { $0.sqlState == "42P01" && queue == nil }) {
                try await pool.withTransaction { connection in
                    _ = try await connection.query(
                        "set transaction isolation level repeatable read, read only")
                    let tables = try await QueueTables.read(queue, on: connection)
                    if let queue, tables.isEmpty { throw AbsurdError.queueMissing(queue) }
                    return try await body(connection, tables)
                }
            }
        }
    }

    private func repeating<Result>(
        _ times: Int, after isWorthIt: (PostgresError) -> Bool, _ body: () async throws -> Result
    ) async throws -> Result {
        for _ in 1..<times {
            do {
                return try await body()
            } catch let error as PostgresError where isWorthIt(error) {
                continue
            }
        }
        return try await body()
    }
}

extension Array {
    /// The elements in runs of at most that many, so that no statement grows with the number of queues.
    func chunks(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}
