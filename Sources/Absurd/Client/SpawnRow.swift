import LibPQ

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// One row of `absurd_swift.spawn`.
///
/// Its ids are made here, so that sending it again cannot make two tasks.
package struct SpawnRow: Sendable {
    package let taskID: UUID
    package let runID: UUID
    package let taskName: String
    package let params: JSONText
    package let options: JSONText
    package let idempotencyKey: String?

    package init(_ request: SpawnRequest, _ identifiers: IdentifierMaker) throws {
        taskID = identifiers.next()
        runID = identifiers.next()
        taskName = request.taskName
        params = request.params
        options = try request.options.encoded()
        idempotencyKey = request.options.idempotencyKey
    }

    package var byteCount: Int { params.byteCount + options.byteCount + taskName.utf8.count + 64 }
}

/// What became of a ``SpawnRow``.
package enum SpawnAnswer: Sendable {
    case spawned(SpawnedTask)
    case refused(sqlState: String, message: String?)

    /// The row was made as it came.
    init(making row: SpawnRow) {
        self = .spawned(
            SpawnedTask(taskID: TaskID(row.taskID), runID: RunID(row.runID), attempt: 1, wasCreated: true))
    }

    init(_ row: SQLRow) throws {
        if let sqlState = try row.decode("sqlstate", as: String?.self) {
            self = .refused(sqlState: sqlState, message: try row.decode("message"))
        } else {
            self = .spawned(
                SpawnedTask(
                    taskID: TaskID(try row.decode("task_id")), runID: RunID(try row.decode("run_id")),
                    attempt: Int(try row.decode("attempt", as: Int32.self)),
                    wasCreated: try row.decode("created")))
        }
    }

    /// - Parameter place: Where in the caller's list the task stands, for the error.
    package func task(named name: String, place: String = "") throws -> SpawnedTask {
        switch self {
        case .spawned(let task): return task
        case .refused(let sqlState, let message):
            // Class 22 and 54 are about the value; the rest are sentences of the schema's own functions.
            let isValue = sqlState.hasPrefix("22") || sqlState.hasPrefix("54")
            let reason =
                isValue
                ? AbsurdError.refused(sqlState: sqlState, serverMessage: message).message
                : message ?? "SQLSTATE \(sqlState)"
            throw AbsurdError(
                .rejected, "task '\(shortened(name))'\(place) was refused: \(reason)", sqlState: sqlState,
                serverMessage: message)
        }
    }
}
