#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Which tasks ``AbsurdClient/tasks(matching:)`` returns.
///
/// What is left out does not restrict.
public struct TaskFilter: Sendable, Hashable {
    /// The queue; nil looks into all of them.
    public var queue: String?
    /// The whole name, as it was spawned.
    public var taskName: String?
    /// The states; an empty set stands for all.
    public var states: Set<TaskState> = []
    /// How long ago the tasks were spawned at most, by the database's clock.
    public var spawnedWithin: Duration?
    /// The earliest time of spawning.
    ///
    /// With ``spawnedWithin``, both count.
    public var spawnedSince: Date?
    /// Only tasks older than this one, for the next page after the last task of a page.
    public var before: TaskID?
    /// How many tasks at most, from 1 to 1,000.
    ///
    /// Defaults to 50.
    public var limit = 50

    public init(queue: String? = nil, taskName: String? = nil, states: Set<TaskState> = []) {
        self.queue = queue
        self.taskName = taskName
        self.states = states
    }
}

extension TaskFilter {
    /// The most tasks that one call returns.
    public static let longestPage = 1000

    func validate() throws {
        if let queue { try validateQueueName(queue) }
        if let taskName { try validateTaskName(taskName) }
        guard (1...Self.longestPage).contains(limit) else {
            throw AbsurdError.invalidArgument(
                "the limit of a list of tasks must be from 1 to \(Self.longestPage), and is \(limit)")
        }
    }
}
