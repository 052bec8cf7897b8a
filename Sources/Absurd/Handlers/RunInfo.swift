/// What is known of a run when it is claimed.
public struct RunInfo: Sendable {
    // By reference: events, executions and contexts copy it many times for each run.
    private let facts: Facts

    private final class Facts: Sendable {
        let taskID: TaskID
        let runID: RunID
        let taskName: String
        let queue: String
        let attempt: Int
        let maxAttempts: Int?
        let workerID: String
        let headers: [String: JSONValue]

        init(
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

    package init(
        taskID: TaskID, runID: RunID, taskName: String, queue: String, attempt: Int, maxAttempts: Int?,
        workerID: String, headers: [String: JSONValue]
    ) {
        facts = Facts(
            taskID: taskID, runID: runID, taskName: taskName, queue: queue, attempt: attempt,
            maxAttempts: maxAttempts, workerID: workerID, headers: headers)
    }

    public var taskID: TaskID { facts.taskID }
    public var runID: RunID { facts.runID }
    public var taskName: String { facts.taskName }
    public var queue: String { facts.queue }
    /// From 1.
    ///
    /// Only a failed attempt is followed by a higher one; a resumed run keeps its number.
    public var attempt: Int { facts.attempt }
    /// Nil when the task may be attempted without limit.
    public var maxAttempts: Int? { facts.maxAttempts }
    /// The worker that holds the run.
    public var workerID: String { facts.workerID }
    /// Metadata given at spawn.
    ///
    /// Empty when there is none or when what is stored is no object.
    public var headers: [String: JSONValue] { facts.headers }
}
