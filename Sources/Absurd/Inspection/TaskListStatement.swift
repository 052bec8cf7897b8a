package import LibPQ

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One statement for the lists of several queues: a branch for each, so that each reads its own indexes.
package struct TaskListStatement {
    package let sql: String
    package let parameters: [SQLParameter]
    private let tables: [QueueTables]

    package init(_ filter: TaskFilter, spawnedSince bound: SpawnBound? = nil, tables: [QueueTables]) {
        self.tables = tables
        var parameters: [SQLParameter] = []
        func bind(_ parameter: SQLParameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        var conditions: [String] = []
        if let name = filter.taskName { conditions.append("t.task_name = \(bind(.text(name)))") }
        if let id = filter.before { conditions.append("t.task_id < \(bind(.uuid(id.uuid)))") }
        if let bound {
            conditions.append("t.enqueue_at >= \(bind(.timestamp(bound.time)))")
            conditions.append("t.task_id >= \(bind(.uuid(bound.lowestID)))")
        }
        let states = StateCondition(filter.states)
        conditions += states.conditions
        self.parameters = parameters
        let condition = conditions.isEmpty ? "" : "where \(conditions.joined(separator: " and "))"
        sql = tables.enumerated().map { index, tables in
            """
            (select \(index)::integer as queue_index, \(TaskSummary.columns)
             from \(tables.tasks) t left join \(tables.runs) r on \(states.join)
             \(condition) order by t.task_id desc limit \(filter.limit))
            """
        }.joined(separator: "\nunion all\n")
    }

    func decode(_ rows: SQLRows) throws -> [TaskSummary] {
        try rows.map { try TaskSummary($0, queue: tables[$0.decode("queue_index", as: Int.self)].queue) }
    }
}

/// How tasks in some states are found.
private struct StateCondition {
    /// How the newest run is joined.
    let join: String
    let conditions: [String]

    /// A task's newest run is in the same state, and runs are indexed by it, so that the planner may begin with the
    /// runs of a rare state; the exception are cancelled tasks, whose run may have failed.
    init(_ states: Set<TaskState>) {
        let list = states.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
        guard !states.isEmpty, !states.contains(.cancelled) else {
            join = "r.run_id = t.last_attempt_run"
            let isIndexed = states == [.cancelled]
            conditions =
                (states.isEmpty ? [] : ["t.state in (\(list))"])
                + (isIndexed ? ["t.cancelled_at is not null"] : [])
            return
        }
        // The same run, said so that the planner guesses the number of rows right: it multiplies what two columns
        // as selective as ids let through, and then takes a common state for a rare one.
        join = "r.task_id = t.task_id and r.attempt = t.attempts"
        conditions = ["t.state in (\(list))", "r.state in (\(list))"]
    }
}

/// The time since which tasks were spawned, and the id from which theirs can be.
package struct SpawnBound: Sendable {
    let time: PostgresTimestamp
    /// Ids carry the time at which they were made, so a bound on them keeps the rest of a table out of reach.
    ///
    /// Producers' clocks may be off by up to a day.
    let lowestID: UUID

    /// Asked first, because the planner chooses by constants.
    ///
    /// - Returns: Nil when the filter names no time.
    static func read(_ filter: TaskFilter, on connection: PostgresConnection) async throws -> SpawnBound? {
        guard filter.spawnedWithin != nil || filter.spawnedSince != nil else { return nil }
        // Before 2,000 years ago there were no tasks, and soon no times that the server knows.
        let seconds = try filter.spawnedWithin?.validated("the age of the oldest task").inSeconds
        let time = filter.spawnedSince.map { PostgresTimestamp(min(max($0, .distantPast), .distantFuture)) }
        let rows = try await connection.query(
            """
            select b.time, absurd.uuidv7_floor(greatest(b.time - interval '1 day', 'epoch')) as lowest_id
            from (select greatest(
              absurd.current_time() - make_interval(secs => $1::double precision), $2::timestamptz)) as b (time)
            """,
            [
                seconds.map { .double(min($0, 2000 * 365 * 86_400)) } ?? .null,
                time.map { .timestamp($0) } ?? .null,
            ])
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        return SpawnBound(time: try row.decode("time"), lowestID: try row.decode("lowest_id"))
    }
}
