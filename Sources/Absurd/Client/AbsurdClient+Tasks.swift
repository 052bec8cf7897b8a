package import LibPQ

extension AbsurdClient {
    /// The state of a task now, with its outcome if it has ended; nil when the queue has no such task.
    public func task(_ id: TaskID, on queue: String = "default") async throws -> TaskSnapshot? {
        try validateQueueName(queue)
        let rows = try await query(
            "select state, result, failure_reason from absurd.get_task_result($1, $2)",
            [.text(queue), .uuid(id.uuid)], queue: queue)
        return try rows.first.map(TaskSnapshot.init)
    }

    /// Waits until a task has ended.
    ///
    /// - Parameter timeout: Nil waits for ever. Zero looks once.
    /// - Throws: ``AbsurdError`` with the codes `timedOut`, `taskMissing`, `queueMissing`.
    public func awaitTask(
        _ id: TaskID, on queue: String = "default", timeout: Duration? = nil
    ) async throws -> TaskSnapshot {
        let deadline = try timeout.map { ContinuousClock.now + (try $0.validated("the timeout of a result")) }
        var pause = Duration.milliseconds(50)
        while true {
            guard let snapshot = try await task(id, on: queue) else {
                throw AbsurdError.taskMissing(id, queue)
            }
            if snapshot.state.isTerminal { return snapshot }
            if let deadline {
                let left = deadline - .now
                guard left > .zero else {
                    throw AbsurdError(
                        .timedOut,
                        "task \(id) has not ended in time; it is \(snapshot.state.rawValue) and goes on")
                }
                pause = min(pause, left)
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
    }

    /// Cancels a task unless it has ended.
    ///
    /// A handler that is executing learns of it at its next durable call, or within a third of the claim timeout.
    ///
    /// - Returns: The task's state afterwards: `cancelled`, or how it had ended before.
    /// - Throws: ``AbsurdError`` with the codes `taskMissing`, `queueMissing`.
    @discardableResult
    public func cancelTask(_ id: TaskID, on queue: String = "default") async throws -> TaskState {
        try validateQueueName(queue)
        let rows = try await translatingErrors(queue: queue) {
            try await resendingAfterConflict {
                try await pool.query(
                    "select answer, task_state from absurd_swift.cancel($1, $2)",
                    [.text(queue), .uuidArray([id.uuid])])
            }
        }
        guard let row = rows.first, let state = try TaskState(row, "task_state") else {
            throw AbsurdError.taskMissing(id, queue)
        }
        return state
    }

    /// Gives a failed task further attempts; its recorded steps stay.
    ///
    /// - Parameter maxAttempts: The new limit, above the attempts made so far. Nil allows one more.
    /// - Throws: ``AbsurdError`` with the codes `taskNotFailed`, `taskMissing`, `rejected`, `queueMissing`.
    @discardableResult
    public func retryTask(
        _ id: TaskID, on queue: String = "default", maxAttempts: Int? = nil
    ) async throws -> TaskHandle<JSONValue> {
        try await retry(id, on: queue, maxAttempts: maxAttempts, asNew: false)
    }

    /// Spawns a failed task anew, without its recorded steps; the failed one stays.
    ///
    /// - Parameter maxAttempts: The limit of the new task. Nil takes that of the failed one.
    /// - Throws: As ``retryTask(_:on:maxAttempts:)``.
    @discardableResult
    public func retryTaskAsNew(
        _ id: TaskID, on queue: String = "default", maxAttempts: Int? = nil
    ) async throws -> TaskHandle<JSONValue> {
        try await retry(id, on: queue, maxAttempts: maxAttempts, asNew: true)
    }

    private func retry(
        _ id: TaskID, on queue: String, maxAttempts: Int?, asNew: Bool
    ) async throws -> TaskHandle<JSONValue> {
        guard let snapshot = try await task(id, on: queue) else { throw AbsurdError.taskMissing(id, queue) }
        guard snapshot.state == .failed else {
            throw AbsurdError(
                .taskNotFailed, "task \(id) is \(snapshot.state.rawValue); only a failed task can be retried")
        }
        var options: [String: JSONValue] = [:]
        if let maxAttempts { options["max_attempts"] = try AttemptLimit.attempts(maxAttempts).encoded() }
        if asNew { options["spawn_new"] = true }
        let rows = try await query(
            "select task_id, run_id, attempt, created from absurd.retry_task($1, $2, $3::jsonb)",
            [
                .text(queue), .uuid(id.uuid),
                .text(try JSONText(encoding: JSONValue.object(options)).text),
            ], queue: queue)
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        return TaskHandle(
            client: self, queue: queue, taskID: TaskID(try row.decode("task_id")),
            runID: RunID(try row.decode("run_id")), attempt: Int(try row.decode("attempt", as: Int32.self)),
            wasCreated: try row.decode("created"), output: .codable)
    }
}

extension TaskSnapshot {
    package init(_ row: SQLRow) throws {
        guard let state = try TaskState(row, "state") else { throw SpawnStatement.wrongAnswer }
        let result = try row.decode("result", as: String?.self).map(JSONText.init)
        let reason = try row.decode("failure_reason", as: String?.self).map(JSONText.init)
        self.init(
            state: state, result: state == .completed ? try result?.value() ?? .null : nil,
            failure: state == .failed ? TaskFailure(reason: try reason?.value() ?? .null) : nil)
    }
}

extension TaskState {
    /// The state in a column; nil when it is NULL.
    package init?(_ row: SQLRow, _ column: String) throws {
        guard let text = try row.decode(column, as: String?.self) else { return nil }
        guard let state = TaskState(rawValue: text) else { throw SpawnStatement.wrongAnswer }
        self = state
    }
}
