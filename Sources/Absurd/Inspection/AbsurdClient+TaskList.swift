import LibPQ

extension AbsurdClient {
    /// The tasks that match, newest first, of one queue or of all.
    ///
    /// Reads tasks in the order of their ids, from the newest until it has enough; with a state that few tasks have,
    /// the queue's runs in that state. What no index knows is looked for in the whole queue: a name that few tasks
    /// have, and running or sleeping tasks behind a long backlog.
    ///
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `schemaMissing`, `invalidArgument`.
    public func tasks(matching filter: TaskFilter = TaskFilter()) async throws -> [TaskSummary] {
        try filter.validate()
        return try await reading(filter.queue) { connection, tables in
            let bound = try await SpawnBound.read(filter, on: connection)
            var found: [TaskSummary] = []
            for chunk in tables.chunks(of: 50) {
                let statement = TaskListStatement(filter, spawnedSince: bound, tables: Array(chunk))
                found += try statement.decode(try await connection.query(statement.sql, statement.parameters))
            }
            return Array(found.sorted { $0.taskID.precedes($1.taskID) }.prefix(filter.limit))
        }
    }
}

extension TaskID {
    /// Whether this task stands before the other in a list with the newest first.
    ///
    /// Not by the time of spawning, which two tasks can share: ids are what pages continue at.
    fileprivate func precedes(_ other: TaskID) -> Bool { other.description < description }
}
