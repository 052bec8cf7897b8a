package import LibPQ

extension AbsurdClient {
    /// The tasks that match, newest first, of one queue or of all.
    ///
    /// Reads tasks in the order of their ids, from the newest until it has enough; with a state that few tasks have,
    /// the queue's runs in that state. What no index knows is looked for in the whole queue: a name that few tasks
    /// have, and the running tasks behind a long backlog.
    ///
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `schemaMissing`, `invalidArgument`.
    public func tasks(matching filter: TaskFilter = TaskFilter()) async throws -> [TaskSummary] {
        try filter.validate()
        return try await reading(filter.queue) { connection, tables in
            var found: [TaskSummary] = []
            for chunk in tables.chunks(of: 50) {
                let statement = try TaskListStatement(filter, tables: Array(chunk))
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

/// One statement for the lists of several queues: a branch for each, so that each reads its own indexes.
package struct TaskListStatement {
    package let sql: String
    package let parameters: [SQLParameter]
    private let tables: [QueueTables]

    package init(_ filter: TaskFilter, tables: [QueueTables]) throws {
        self.tables = tables
        var parameters: [SQLParameter] = []
        func bind(_ parameter: SQLParameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        var conditions: [String] = []
        if let name = filter.taskName { conditions.append("t.task_name = \(bind(.text(name)))") }
        if let id = filter.before { conditions.append("t.task_id < \(bind(.uuid(id.uuid)))") }
        if let span = filter.spawnedWithin {
            let seconds = try span.validated("the age of the oldest task").inSeconds
            conditions += Self.spawned(
                since: "absurd.current_time() - make_interval(secs => \(bind(.double(seconds))))")
        }
        if let date = filter.spawnedSince {
            conditions += Self.spawned(since: "\(bind(.timestamp(PostgresTimestamp(date))))::timestamptz")
        }
        conditions += Self.conditions(states: filter.states)
        self.parameters = parameters
        let condition = conditions.isEmpty ? "" : "where \(conditions.joined(separator: " and "))"
        sql = tables.enumerated().map { index, tables in
            """
            (select \(index)::integer as queue_index, \(TaskSummary.columns)
             from \(tables.tasks) t left join \(tables.runs) r
               on r.run_id = t.last_attempt_run and r.task_id = t.task_id
             \(condition) order by t.task_id desc limit \(filter.limit))
            """
        }.joined(separator: "\nunion all\n")
    }

    func decode(_ rows: SQLRows) throws -> [TaskSummary] {
        try rows.map { try TaskSummary($0, queue: tables[$0.decode("queue_index", as: Int.self)].queue) }
    }

<<<<<<< HEAD
    /// Ids carry the time at which they were made, so a bound on them keeps the rest of the table out of
    /// reach.
=======
    /// Ids carry the time at which they were made, so a bound on them keeps the rest of the table out of reach.
>>>>>>> cli
    ///
    /// Producers' clocks may be off by up to a day.
    private static func spawned(since time: String) -> [String] {
        [
            "t.enqueue_at >= \(time)",
            "t.task_id >= absurd.uuidv7_floor(greatest(\(time) - interval '1 day', 'epoch'::timestamptz))",
        ]
    }

    /// A task's newest run is in the same state, and runs are indexed by it, so that the planner can begin with them;
    /// the exception are cancelled tasks, whose run may have failed.
    private static func conditions(states: Set<TaskState>) -> [String] {
        guard !states.isEmpty else { return [] }
        let list = states.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
        var conditions = ["t.state in (\(list))"]
        if states == [.cancelled] { conditions.append("t.cancelled_at is not null") }
        if !states.contains(.cancelled) { conditions.append("r.state in (\(list))") }
        return conditions
    }
}
