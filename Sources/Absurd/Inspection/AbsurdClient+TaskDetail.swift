import LibPQ

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Where a task is.
public struct TaskLocation: Sendable, Hashable {
    public let taskID: TaskID
    public let queue: String
}

extension AbsurdClient {
    /// The task with that id, or with a run of that id; nil when there is none.
    ///
    /// - Parameter queue: Nil looks through all queues.
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `schemaMissing`, `invalidArgument`.
    public func locateTask(_ id: UUID, on queue: String? = nil) async throws -> TaskLocation? {
        if let queue { try validateQueueName(queue) }
        return try await reading(queue) { connection, tables in
            for chunk in tables.chunks(of: 50) {
                let branches = chunk.enumerated().map { index, tables in
                    """
                    select \(index)::integer as queue_index, task_id from \(tables.tasks) where task_id = $1
                    union all
                    select \(index)::integer, task_id from \(tables.runs) where run_id = $1
                    """
                }
                let rows = try await connection.query(
                    branches.joined(separator: "\nunion all\n"), [.uuid(id)])
                guard let row = rows.first else { continue }
                let queue = chunk[chunk.startIndex + (try row.decode("queue_index", as: Int.self))].queue
                return TaskLocation(taskID: TaskID(try row.decode("task_id")), queue: queue)
            }
            return nil
        }
    }

    /// Everything about one task; nil when the queue has no such task.
    ///
    /// - Parameter queue: Nil looks for the task in all queues.
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `schemaMissing`, `invalidArgument`.
    public func taskDetail(
        _ id: TaskID, on queue: String? = nil, limits: TaskDetailLimits = TaskDetailLimits()
    ) async throws -> TaskDetail? {
        try limits.validate()
        if let queue { try validateQueueName(queue) }
        guard let location = try await locateTask(id.uuid, on: queue) else { return nil }
        return try await reading(location.queue) { connection, tables in
            try await TaskReader(id: id, tables: tables[0], limits: limits, connection: connection).read()
        }
    }
}

extension TaskDetailLimits {
    func validate() throws {
        for (name, value) in [("runs", runs), ("steps", steps), ("documentLength", documentLength ?? 1)] {
            guard value >= 1, value < Int(Int32.max) else {
                throw AbsurdError.invalidArgument(
                    "\(name) must be from 1 to \(Int32.max - 1), and is \(value)")
            }
        }
    }
}
