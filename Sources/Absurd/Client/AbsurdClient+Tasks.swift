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
        try validateQueueName(queue)
        let timeout = try timeout?.validated("the timeout of a result")
        if timeout == .zero { return try await lookOnce(at: id, on: queue) }
        let turn = await wakeUps.results.outcome(
            of: id, on: queue, timeout: timeout, loop: wakeUps.resultLoop, listenerLoop: wakeUps.listenerLoop)
        switch turn {
        case .ended(let snapshot): return snapshot
        case .failed(let error): throw error
        case .cancelled: throw CancellationError()
        case .timedOut(let state): throw AbsurdError.notEnded(id, state)
        }
    }

    private func lookOnce(at id: TaskID, on queue: String) async throws -> TaskSnapshot {
        guard let snapshot = try await task(id, on: queue) else { throw AbsurdError.taskMissing(id, queue) }
        guard snapshot.state.isTerminal else { throw AbsurdError.notEnded(id, snapshot.state) }
        return snapshot
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
        try self.init(
            state: state, resultText: try row.decode("result", as: String?.self).map(JSONText.init),
            failureText: try row.decode("failure_reason", as: String?.self).map(JSONText.init))
    }

    package init(state: TaskState, resultText: JSONText?, failureText: JSONText?) throws {
        self.init(
            state: state, result: state == .completed ? try resultText?.value() ?? .null : nil,
            failure: state == .failed ? TaskFailure(reason: try failureText?.value() ?? .null) : nil)
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
