#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Everything that the database knows about one task, at one instant.
public struct TaskDetail: Sendable, Hashable {
    public let summary: TaskSummary
    public let params: StoredDocument
    public let headers: StoredDocument?
    public let retryStrategy: StoredDocument?
    public let cancellation: StoredDocument?
    public let idempotencyKey: String?
    /// Nil unless the task is completed.
    public let result: StoredDocument?
    /// The attempts in their order, the newest ones when there are more than the limit.
    public let runs: [RunDetail]
    /// The recorded steps in the order in which they were recorded, the newest ones when there are more than the limit.
    public let steps: [StepDetail]
    /// What the task waits for now, beside the time in ``TaskSummary/dueAt``.
    public let waits: [WaitDetail]
    public let hasMoreRuns: Bool
    public let hasMoreSteps: Bool
}

/// One attempt at a task.
public struct RunDetail: Sendable, Hashable {
    public let runID: RunID
    public let attempt: Int
    public let state: TaskState
    public let createdAt: Date
    /// When it can be claimed, or the time of the latest claim; nil for a wait without a deadline.
    public let dueAt: Date?
    /// The latest claim: a run that slept is claimed again.
    public let startedAt: Date?
    public let claimExpiresAt: Date?
    public let workerID: String?
    public let awaitedEvent: String?
    public let completedAt: Date?
    public let failedAt: Date?
    public let failure: StoredDocument?
}

/// A recorded step, also called checkpoint: its value never changes.
public struct StepDetail: Sendable, Hashable {
    public let name: String
    /// Nil for a step that was recorded without a value, which is not JSON null.
    public let value: StoredDocument?
    /// The run that recorded it.
    public let runID: RunID?
    public let recordedAt: Date
}

/// Something that a sleeping run waits for.
public struct WaitDetail: Sendable, Hashable {
    public enum Subject: Sendable, Hashable {
        case event(String)
        /// The end of another task.
        case task(TaskID, queue: String)
    }

    public let subject: Subject
    public let runID: RunID
    /// The step that waits; nil where the database does not say.
    public let step: String?
    public let since: Date?
    /// When the wait ends without what it waits for; nil for never.
    public let deadline: Date?
}

/// How much of a task ``AbsurdClient/taskDetail(_:on:limits:)`` reads.
public struct TaskDetailLimits: Sendable, Hashable {
    /// Defaults to 100.
    public var runs = 100
    /// Defaults to 1,000.
    public var steps = 1000
    /// The most characters of each document; nil for all.
    ///
    /// Defaults to 65,536.
    public var documentLength: Int? = 65_536

    public init() {}
}
