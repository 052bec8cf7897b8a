import LibPQ

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The statements behind ``TaskDetail``, each of which finds its rows by an index on the task.
struct TaskReader {
    let id: TaskID
    let tables: QueueTables
    let limits: TaskDetailLimits
    let connection: PostgresConnection

    /// - Returns: Nil when the queue has no such task.
    func read() async throws -> TaskDetail? {
        let rows = try await connection.query(
            """
            select \(TaskSummary.columns), \(document("t.params", "params")), \(document("t.headers", "headers")),
              \(document("t.retry_strategy", "retry_strategy")), \(document("t.cancellation", "cancellation")),
              \(document("t.completed_payload", "result")), t.idempotency_key
            from \(tables.tasks) t left join \(tables.runs) r on r.run_id = t.last_attempt_run
            where t.task_id = $1
            """, [.uuid(id.uuid)])
        guard let row = rows.first, let params = try row.document("params") else { return nil }
        let summary = try TaskSummary(row, queue: tables.queue)
        let runs = try await runs()
        let steps = try await steps()
        return TaskDetail(
            summary: summary, params: params, headers: try row.document("headers"),
            retryStrategy: try row.document("retry_strategy"), cancellation: try row.document("cancellation"),
            idempotencyKey: try row.decode("idempotency_key"),
            result: summary.state == .completed ? try row.document("result") : nil,
            runs: runs.suffix(limits.runs), steps: steps.suffix(limits.steps), waits: try await waits(),
            hasMoreRuns: runs.count > limits.runs, hasMoreSteps: steps.count > limits.steps)
    }

    private func document(_ expression: String, _ name: String) -> String {
        StoredDocument.column(expression, as: name, limit: limits.documentLength)
    }

    private func runs() async throws -> [RunDetail] {
        let rows = try await connection.query(
            """
            select run_id, attempt, state, created_at, available_at, started_at, claim_expires_at, claimed_by,
              wake_event, completed_at, failed_at, \(document("failure_reason", "failure"))
            from \(tables.runs) where task_id = $1 order by attempt desc, run_id desc limit \(limits.runs + 1)
            """, [.uuid(id.uuid)])
        return try rows.reversed().map(RunDetail.init)
    }

    private func steps() async throws -> [StepDetail] {
        let rows = try await connection.query(
            """
            select checkpoint_name, owner_run_id, updated_at, \(document("state", "value"))
            from \(tables.checkpoints) where task_id = $1 and status = 'committed'
            order by updated_at desc, checkpoint_name desc limit \(limits.steps + 1)
            """, [.uuid(id.uuid)])
        return try rows.reversed().map(StepDetail.init)
    }

    private func waits() async throws -> [WaitDetail] {
        let events = try await connection.query(
            """
            select w.run_id, w.step_name, w.event_name, w.created_at, w.timeout_at
            from \(tables.waits) w join \(tables.runs) r on r.run_id = w.run_id
            where w.task_id = $1 and r.state = 'sleeping' order by w.created_at, w.step_name
            """, [.uuid(id.uuid)])
        let tasks = try await connection.query(
            """
            select w.run_id, w.task_queue, w.task_id, r.started_at
            from \(tables.runs) r
            join absurd_swift.result_waits w on w.queue = $2 and w.run_id = r.run_id and w.token = r.started_at
            where r.task_id = $1 and r.state = 'sleeping' order by w.task_queue, w.task_id
            """, [.uuid(id.uuid), .text(tables.queue)])
        return try events.map(WaitDetail.init(event:)) + tasks.map(WaitDetail.init(task:))
    }
}

extension RunDetail {
    init(_ row: SQLRow) throws {
        guard let state = try TaskState(row, "state") else { throw SpawnStatement.wrongAnswer }
        self.init(
            runID: RunID(try row.decode("run_id")), attempt: try row.decode("attempt"), state: state,
            createdAt: try row.date("created_at") ?? .distantPast, dueAt: try row.date("available_at"),
            startedAt: try row.date("started_at"), claimExpiresAt: try row.date("claim_expires_at"),
            workerID: try row.decode("claimed_by"), awaitedEvent: try row.decode("wake_event"),
            completedAt: try row.date("completed_at"), failedAt: try row.date("failed_at"),
            failure: try row.document("failure"))
    }
}

extension StepDetail {
    init(_ row: SQLRow) throws {
        self.init(
            name: try row.decode("checkpoint_name"), value: try row.document("value"),
            runID: try row.decode("owner_run_id", as: UUID?.self).map { RunID($0) },
            recordedAt: try row.date("updated_at") ?? .distantPast)
    }
}

extension WaitDetail {
    init(event row: SQLRow) throws {
        self.init(
            subject: .event(try row.decode("event_name")), runID: RunID(try row.decode("run_id")),
            step: try row.decode("step_name"), since: try row.date("created_at"),
            deadline: try row.date("timeout_at"))
    }

    init(task row: SQLRow) throws {
        self.init(
            subject: .task(TaskID(try row.decode("task_id")), queue: try row.decode("task_queue")),
            runID: RunID(try row.decode("run_id")), step: nil, since: nil, deadline: nil)
    }
}
