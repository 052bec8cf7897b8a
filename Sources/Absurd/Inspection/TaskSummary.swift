import LibPQ

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// One task in a list: where it stands, without its documents.
public struct TaskSummary: Sendable, Hashable, Identifiable {
    public var id: TaskID { taskID }

    public let taskID: TaskID
    public let queue: String
    public let taskName: String
    public let state: TaskState
    /// The number of the newest attempt, which may not have started yet.
    public let attempt: Int
    public let maxAttempts: AttemptLimit
    /// The run of the newest attempt.
    public let runID: RunID?
    public let spawnedAt: Date
    /// When the first attempt started.
    public let startedAt: Date?
    /// When the task completed, failed for good or was cancelled.
    public let endedAt: Date?
    /// When a pending or sleeping task can be claimed; nil for a wait without a deadline.
    public let dueAt: Date?
    /// The event that a sleeping task waits for.
    public let awaitedEvent: String?
    /// The worker that holds a running task, or that ended the newest attempt.
    public let workerID: String?
    /// When the claim of a running task ends unless it is renewed; nil for one without an end.
    public let claimExpiresAt: Date?
    /// Name and first words of the reason why the newest attempt failed.
    public let failure: String?
}

extension TaskSummary {
    static let columns = """
        t.task_id, t.task_name, t.state, t.attempts, t.max_attempts, t.enqueue_at, t.first_started_at, t.cancelled_at,
        r.run_id, r.available_at, r.wake_event, r.claimed_by, r.claim_expires_at, r.completed_at, r.failed_at,
        case when r.failure_reason is not null then
          left(concat_ws(': ', r.failure_reason ->> 'name',
            coalesce(r.failure_reason ->> 'message', r.failure_reason #>> '{}')), 300)
        end as failure
        """

    init(_ row: SQLRow, queue: String) throws {
        guard let state = try TaskState(row, "state") else { throw SpawnStatement.wrongAnswer }
        self.queue = queue
        self.state = state
        taskID = TaskID(try row.decode("task_id"))
        taskName = try row.decode("task_name")
        attempt = try row.decode("attempts")
        maxAttempts = try row.decode("max_attempts", as: Int?.self).map { .attempts($0) } ?? .unlimited
        runID = try row.decode("run_id", as: UUID?.self).map { RunID($0) }
        spawnedAt = try row.date("enqueue_at") ?? .distantPast
        startedAt = try row.date("first_started_at")
        endedAt =
            switch state {
            case .completed: try row.date("completed_at")
            case .failed: try row.date("failed_at")
            case .cancelled: try row.date("cancelled_at")
            case .pending, .running, .sleeping: nil
            }
        let waits = state == .pending || state == .sleeping
        dueAt = waits ? try row.date("available_at") : nil
        awaitedEvent = state == .sleeping ? try row.decode("wake_event") : nil
        workerID = try row.decode("claimed_by")
        claimExpiresAt = state == .running ? try row.date("claim_expires_at") : nil
        failure = try row.decode("failure")
    }
}

extension SQLRow {
    /// A time; nil when it is NULL or infinite.
    func date(_ column: String) throws -> Date? {
        guard let instant = try decode(column, as: PostgresTimestamp?.self), !instant.isInfinite else {
            return nil
        }
        return instant.date
    }
}
