import LibPQ

/// What a cleanup deleted in one queue.
public struct CleanupReport: Sendable, Hashable {
    public let queue: String
    public let tasks: Int
    public let events: Int

    package init(queue: String, tasks: Int, events: Int) {
        self.queue = queue
        self.tasks = tasks
        self.events = events
    }
}

extension AbsurdClient {
    /// Deletes one batch of what is older than the queue's policy allows, in one queue or in all.
    ///
    /// Call it again while a report shows full batches.
    ///
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `schemaMissing`.
    @discardableResult
    public func cleanUp(_ queue: String? = nil) async throws -> [CleanupReport] {
        if let queue {
            try validateQueueName(queue)
            guard try await queuePolicy(queue) != nil else { throw AbsurdError.queueMissing(queue) }
        }
        let rows = try await query(
            "select queue_name, tasks_deleted, events_deleted from absurd.cleanup_all_queues($1)",
            [queue.map { .text($0) } ?? .null], queue: queue)
        return try rows.map { row in
            CleanupReport(
                queue: try row.decode("queue_name"),
                tasks: Int(try row.decode("tasks_deleted", as: Int32.self)),
                events: Int(try row.decode("events_deleted", as: Int32.self)))
        }
    }

    /// Deletes up to `limit` ended tasks, and up to `limit` events, that are older than the given age.
    ///
    /// - Parameters:
    ///   - age: In whole seconds, rounded up, from zero to 2,147,483,647.
    ///   - limit: From 1 to 2,147,483,647. Defaults to 1,000.
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `invalidArgument`, `schemaMissing`.
    @discardableResult
    public func cleanUp(
        _ queue: String, olderThan age: Duration, limit: Int = 1000
    ) async throws -> CleanupReport {
        try validateQueueName(queue)
        guard limit >= 1, limit <= Int(Int32.max) else {
            throw AbsurdError.invalidArgument(
                "the limit of a cleanup must be from 1 to \(Int32.max), and is \(limit)")
        }
        let seconds = Int64(try age.wholeSeconds("the age for a cleanup"))
        let rows = try await query(
            """
            select absurd.cleanup_tasks($1, $2, $3) as tasks, absurd.cleanup_events($1, $2, $3) as events
            """, [.text(queue), .int(seconds), .int(Int64(limit))], queue: queue)
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        return CleanupReport(
            queue: queue, tasks: Int(try row.decode("tasks", as: Int32.self)),
            events: Int(try row.decode("events", as: Int32.self)))
    }

    /// The version that the schema `absurd` reports, and that of `absurd_swift`.
    ///
    /// - Throws: ``AbsurdError`` with the code `schemaMissing`.
    public func schemaVersion() async throws -> (absurd: String, absurdSwift: String) {
        let rows = try await query(
            """
            select absurd.get_schema_version() as base, absurd_swift.get_schema_version() as extension
            """)
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        return (try row.decode("base"), try row.decode("extension"))
    }
}
