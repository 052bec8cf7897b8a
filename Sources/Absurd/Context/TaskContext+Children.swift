extension TaskContext {
    /// Spawns a task once, however often the handler runs.
    ///
    /// The task's ids are recorded under `name`; a crash between spawning and recording is covered by an
    /// idempotency key made of this task's id and the name, unless the options bring a key of their own.
    ///
    /// Unlike a step, which waits for the database as long as that takes, it fails when the database is away for longer
    /// than 30 seconds.
    ///
    /// - Parameter name: The name of the record. Defaults to `$spawn:` and the kind's name.
    /// - Throws: ``ExecutionEnded``; ``AbsurdError`` with the codes `queueMissing`, `unencodable`, `rejected`,
    ///   `undecodable` (what is recorded under the name is no spawn), `invalidArgument` (an option or a name out of its
    ///   limits, or a call inside a step), `timedOut` and those of the connection.
    @discardableResult
    public func spawn<Input: Sendable, Output: Sendable>(
        _ kind: TaskKind<Input, Output>, _ input: Input, name: String? = nil,
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<Output> {
        let request = try SpawnRequest(kind, input, options: options)
        return try await spawn(request, name: name, output: kind.output)
    }

    /// Spawns a task without input once, however often the handler runs.
    ///
    /// - Throws: As ``spawn(_:_:name:options:)``.
    @discardableResult
    public func spawn<Output: Sendable>(
        _ kind: TaskKind<Void, Output>, name: String? = nil, options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<Output> {
        try await spawn(kind, (), name: name, options: options)
    }

    /// Spawns a task by name, for kinds that other programs define.
    ///
    /// - Parameters:
    ///   - queue: Nil is the queue of this task.
    ///   - name: The name of the record. Defaults to `$spawn:` and the task's name.
    /// - Throws: As ``spawn(_:_:name:options:)``.
    @discardableResult
    public func spawn(
        _ taskName: String, params: JSONValue, on queue: String? = nil, name: String? = nil,
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<JSONValue> {
        let request = try SpawnRequest(
            taskName: taskName, queue: queue ?? self.queue,
            params: encodeDocument(params, named: "the parameters of task '\(taskName)'"), options: options)
        return try await spawn(request, name: name, output: .codable)
    }

    private func spawn<Output: Sendable>(
        _ request: SpawnRequest, name: String?, output: OutputCodec<Output>
    ) async throws -> TaskHandle<Output> {
        switch try await admit(name ?? "$spawn:\(request.taskName)", holdsRun: true) {
        case .known(let checkpoint, let state):
            let record = try decode(state ?? .null, of: checkpoint, OutputCodec<SpawnRecord>.codable)
            return TaskHandle(
                client: client, queue: record.queue, taskID: record.taskID, runID: record.runID,
                attempt: record.attempt, wasCreated: false, output: output)
        case .proceed(let checkpoint):
            var request = request
            request.options.idempotencyKey = request.options.idempotencyKey ?? "\(taskID):\(checkpoint)"
            return try await holding {
                let handle = try await client.spawn(request, output: output)
                let record = SpawnRecord(
                    queue: handle.queue, taskID: handle.taskID, runID: handle.runID, attempt: handle.attempt)
                _ = try await store(try JSONText(encoding: record), as: checkpoint)
                return handle
            }
        }
    }

    /// Waits for the result of another task, in any queue; suspends the run while that task has not ended.
    ///
    /// The outcome is recorded. While it waits the run holds neither a slot nor a connection, so a parent may wait
    /// for children in its own queue.
    ///
    /// - Throws: ``TaskFailure`` when the task failed or was cancelled; ``ExecutionEnded`` when the run was
    ///   suspended; ``AbsurdError`` with the codes `taskMissing` or `undecodable`.
    public func result<Output: Sendable>(
        of handle: TaskHandle<Output>, name: String? = nil
    ) async throws -> Output {
        try await snapshot(of: handle, name: name).result(handle)
    }

    /// Waits until another task has ended, however it ended; suspends the run while it has not.
    ///
    /// The snapshot is recorded.
    ///
    /// - Parameter name: The name of the record. Defaults to `$awaitTaskResult:` and the task's id.
    /// - Throws: ``ExecutionEnded`` when the run was suspended; ``AbsurdError`` with the codes `taskMissing` (also when
    ///   there is no such queue), `undecodable` or `invalidArgument` (an empty name, or a call inside a step).
    public func snapshot<Output: Sendable>(
        of handle: TaskHandle<Output>, name: String? = nil
    ) async throws -> TaskSnapshot {
        switch try await admit(name ?? "$awaitTaskResult:\(handle.taskID)") {
        case .known(let checkpoint, let state):
            return try decode(state ?? .null, of: checkpoint, OutputCodec<TaskSnapshot>.codable)
        case .proceed(let checkpoint):
            let key = run.key
            let answer = try await lookThenPark { writer, parks in
                let wait = TaskWait(
                    key: key, step: checkpoint, queue: handle.queue, task: handle.taskID,
                    pollDelay: Self.resultPollDelay, parks: parks)
                return try await writer.awaitTask(wait)
            }
            guard case .received(let text) = answer else {
                throw AbsurdError.taskMissing(handle.taskID, handle.queue)
            }
            cached(checkpoint, text)
            return try decode(text, of: checkpoint, OutputCodec<TaskSnapshot>.codable)
        }
    }

    /// How late the end of a task is noticed that was ended by another SDK, whose functions wake nobody.
    private static let resultPollDelay = Duration.seconds(5)
}

/// What a replay-safe spawn records.
private struct SpawnRecord: Codable, Sendable {
    var queue: String
    var taskID: TaskID
    var runID: RunID
    var attempt: Int

    enum CodingKeys: String, CodingKey {
        case queue
        case taskID = "task_id"
        case runID = "run_id"
        case attempt
    }
}
