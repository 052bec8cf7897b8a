/// A spawned task, from the producer's side.
public struct TaskHandle<Output: Sendable>: Sendable {
    package let client: AbsurdClient
    public let queue: String
    public let taskID: TaskID
    /// The newest run when the handle was made.
    public let runID: RunID
    public let attempt: Int
    /// False when an idempotency key led to a task that was there before.
    public let wasCreated: Bool
    package let output: OutputCodec<Output>

    package init(
        client: AbsurdClient, queue: String, taskID: TaskID, runID: RunID, attempt: Int, wasCreated: Bool,
        output: OutputCodec<Output>
    ) {
        self.client = client
        self.queue = queue
        self.taskID = taskID
        self.runID = runID
        self.attempt = attempt
        self.wasCreated = wasCreated
        self.output = output
    }
}

extension TaskHandle {
    /// Waits until the task has ended and returns its result.
    ///
    /// Waiting holds no connection. Giving up does not touch the task.
    ///
    /// - Parameter timeout: Nil waits for ever.
    /// - Throws: ``TaskFailure`` when the task failed or was cancelled; ``AbsurdError`` with the codes `timedOut`,
    ///   `taskMissing` (deleted by cleanup, for example) or `undecodable`.
    public func result(timeout: Duration? = nil) async throws -> Output {
        try await client.awaitTask(taskID, on: queue, timeout: timeout).result(self)
    }

    /// The task's state now; nil when it has been deleted.
    public func snapshot() async throws -> TaskSnapshot? {
        try await client.task(taskID, on: queue)
    }

    /// Cancels the task unless it has ended; see ``AbsurdClient/cancelTask(_:on:)``.
    @discardableResult
    public func cancel() async throws -> TaskState {
        try await client.cancelTask(taskID, on: queue)
    }
}
