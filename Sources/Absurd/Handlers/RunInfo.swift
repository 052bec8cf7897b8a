/// What is known of a run when it is claimed.
public struct RunInfo: Sendable {
    public let taskID: TaskID
    public let runID: RunID
    public let taskName: String
    public let queue: String
    /// From 1.
    ///
    /// Only a failed attempt is followed by a higher one; a resumed run keeps its number.
    public let attempt: Int
    /// Nil when the task may be attempted without limit.
    public let maxAttempts: Int?
    /// The worker that holds the run.
    public let workerID: String
    /// Metadata given at spawn.
    ///
    /// Empty when there is none or when what is stored is no object.
    public let headers: [String: JSONValue]

    package init(
        taskID: TaskID, runID: RunID, taskName: String, queue: String, attempt: Int, maxAttempts: Int?,
        workerID: String, headers: [String: JSONValue]
    ) {
        self.taskID = taskID
        self.runID = runID
        self.taskName = taskName
        self.queue = queue
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.workerID = workerID
        self.headers = headers
    }
}
