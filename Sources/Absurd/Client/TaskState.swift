/// The state of a task or of one of its runs.
public enum TaskState: String, Sendable, Codable, CaseIterable {
    /// Due and waiting for a worker.
    case pending
    /// Held by a worker.
    case running
    /// Until a time, an event, or the next attempt.
    case sleeping
    case completed
    case failed
    case cancelled

    /// Completed, failed or cancelled.
    ///
    /// Only a failed task can leave that, by a retry.
    public var isTerminal: Bool { self == .completed || self == .failed || self == .cancelled }
}
