import LibPQ
import Logging

extension AbsurdClient {
    /// Creates a queue, unless it is there already with the same storage mode.
    ///
    /// - Parameter name: 1 to 57 bytes of UTF-8, case-sensitive.
    /// - Throws: ``AbsurdError`` with the codes `rejected`, when the queue exists with the other storage mode or
    ///   when its name collides with the tables of another queue, and `invalidArgument`.
    public func createQueue(
        _ name: String, storage: StorageMode = .unpartitioned, policy: QueuePolicyChange? = nil
    ) async throws {
        try validateQueueName(name)
        let settings = try policy?.encoded().text
        try await namingIntervals {
            try await pool.withTransaction { connection in
                _ = try await connection.query(
                    "select absurd.create_queue($1, $2)", [.text(name), .text(storage.rawValue)])
                if let settings {
                    _ = try await connection.query(
                        "select absurd.set_queue_policy($1, $2::jsonb)", [.text(name), .text(settings)])
                }
            }
        }
        await planStatements(of: name)
    }

    /// Gives a queue, or all with nil, functions of its own, whose plans sessions keep (`docs/decisions/044-plans-are-kept.md`).
    ///
    /// Best effort: without them the queue works as well and costs more for small batches. The next migration or worker
    /// makes what is missing, also after a role without the privilege, or two that do this at once.
    package func planStatements(of queue: String?) async {
        do {
            if let queue {
                _ = try await pool.query("select absurd_swift.make_functions($1)", [.text(queue)])
                return
            }
            // All, and those of queues that are no more.
            let rows = try await pool.query("select statement from absurd_swift.missing_functions()")
            for row in rows { _ = try await pool.query(try row.decode("statement")) }
        } catch {
            logger.debug("the queue has no functions of its own", metadata: ["error": "\(error)"])
        }
    }

    /// Drops a queue with all its tasks and events.
    ///
    /// A queue that does not exist is no error. Transactions that use the queue are waited for, up to
    /// ``AbsurdConfiguration/statementTimeout``. Partitions that were detached before stay.
    ///
    /// - Throws: ``AbsurdError`` with the codes `invalidArgument` (a name that no queue can have), `timedOut`,
    ///   `privilegeMissing`, `schemaMissing`.
    public func dropQueue(_ name: String) async throws {
        try validateQueueName(name)
        _ = try await query("select absurd.drop_queue($1)", [.text(name)])
    }

    /// The names of all queues, sorted.
    public func queues() async throws -> [String] {
        try await query("select queue_name from absurd.list_queues()").map { try $0.decode("queue_name") }
    }

    /// The settings of a queue; nil when there is no such queue.
    public func queuePolicy(_ name: String) async throws -> QueuePolicy? {
        try validateQueueName(name)
        let rows = try await query(
            """
            select queue_name, storage_mode, default_partition, partition_lookahead::text, partition_lookback::text,
              cleanup_ttl::text, cleanup_limit, detach_mode, detach_min_age::text
            from absurd.get_queue_policy($1)
            """, [.text(name)])
        return try rows.first.map(QueuePolicy.init)
    }

    /// Changes some of a queue's settings.
    ///
    /// - Throws: ``AbsurdError`` with the codes `rejected` (an interval that the database does not take),
    ///   `invalidArgument` or `queueMissing`.
    public func setQueuePolicy(_ name: String, _ change: QueuePolicyChange) async throws {
        try validateQueueName(name)
        let settings = try change.encoded().text
        guard try await queuePolicy(name) != nil else { throw AbsurdError.queueMissing(name) }
        try await namingIntervals(queue: name) {
            _ = try await pool.query(
                "select absurd.set_queue_policy($1, $2::jsonb)", [.text(name), .text(settings)])
        }
    }

    /// Makes the weekly partitions that a queue's policy asks for, of one queue or of all.
    public func ensurePartitions(_ name: String? = nil) async throws {
        if let name { try validateQueueName(name) }
        _ = try await query("select absurd.ensure_partitions($1)", [name.map { .text($0) } ?? .null])
    }
}

/// Says what the settings look like when one was an interval that the database does not read.
private func namingIntervals(queue: String? = nil, _ body: () async throws -> Void) async throws {
    do {
        try await translatingErrors(queue: queue, body)
    } catch let error as AbsurdError where ["22007", "22008", "22015"].contains(error.sqlState) {
        throw AbsurdError(
            .rejected,
            "an interval of the queue's policy cannot be read; write it as '30 days' or '12 hours'",
            sqlState: error.sqlState, serverMessage: error.serverMessage)
    }
}

extension QueuePolicy {
    init(_ row: SQLRow) throws {
        func choice<Choice: RawRepresentable<String>>(_ column: String, _ type: Choice.Type) throws -> Choice
        {
            let text = try row.decode(column, as: String.self)
            guard let choice = Choice(rawValue: text) else {
                throw AbsurdError(
                    .schemaOutdated, "the queue has a setting that this program does not know: \(text)")
            }
            return choice
        }
        self.init(
            queue: try row.decode("queue_name"), storageMode: try choice("storage_mode", StorageMode.self),
            defaultPartition: try choice("default_partition", DefaultPartition.self),
            partitionLookahead: try row.decode("partition_lookahead"),
            partitionLookback: try row.decode("partition_lookback"),
            cleanupTTL: try row.decode("cleanup_ttl"),
            cleanupLimit: Int(try row.decode("cleanup_limit", as: Int32.self)),
            detachMode: try choice("detach_mode", DetachMode.self),
            detachMinAge: try row.decode("detach_min_age"))
    }
}
