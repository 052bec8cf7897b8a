import LibPQ

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What is recorded under the name of a step.
public struct Checkpoint: Sendable, Hashable {
    public let name: String
    /// JSON null also where nothing but the fact was recorded.
    public let value: JSONValue
    /// `committed`, unless another program stored it otherwise.
    public let status: String
    /// The run that recorded it; nil where the database does not say.
    public let runID: RunID?
    /// When it was recorded, by the database's clock.
    public let recordedAt: Date
}

extension AbsurdClient {
    /// What is recorded under the name of one step of a task, by whichever attempt; nil when there is nothing.
    ///
    /// - Parameter includePending: Also what has another status than `committed`. No function of the schemas stores
    ///   such a checkpoint, but other programs may.
    public func checkpoint(
        _ step: String, of task: TaskID, on queue: String = "default", includePending: Bool = false
    ) async throws -> Checkpoint? {
        try validateQueueName(queue)
        let rows = try await query(
            "select * from absurd.get_task_checkpoint_state($1, $2, $3, $4)",
            [.text(queue), .uuid(task.uuid), .text(step), .bool(includePending)], queue: queue)
        return try rows.first.map(Checkpoint.init)
    }
}

extension Checkpoint {
    fileprivate init(_ row: SQLRow) throws {
        self.init(
            name: try row.decode("checkpoint_name"),
            value: try row.decode("state", as: String?.self).map { try JSONText($0).value() } ?? .null,
            status: try row.decode("status"),
            runID: try row.decode("owner_run_id", as: UUID?.self).map { RunID($0) },
            recordedAt: try row.date("updated_at") ?? .distantPast)
    }
}
