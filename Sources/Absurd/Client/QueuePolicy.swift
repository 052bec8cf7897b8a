/// How a queue's tables are laid out.
///
/// Fixed when the queue is created.
public enum StorageMode: String, Sendable, Codable, CaseIterable {
    /// Ordinary tables. Right for nearly everybody.
    case unpartitioned
    /// Weekly partitions, so that old weeks are dropped rather than deleted row by row.
    case partitioned
}

/// The maintenance settings of a queue, as stored.
public struct QueuePolicy: Sendable, Hashable {
    public enum DefaultPartition: String, Sendable, Codable, CaseIterable { case enabled, disabled }
    public enum DetachMode: String, Sendable, Codable, CaseIterable { case none, empty }

    public let queue: String
    public let storageMode: StorageMode
    /// Whether rows of a week without a partition go to a catch-all.
    public let defaultPartition: DefaultPartition
    /// How far ahead weekly partitions are made; an interval in Postgres' words, as are those below.
    public let partitionLookahead: String
    public let partitionLookback: String
    /// How long ended tasks and emitted events are kept before cleanup may delete them.
    public let cleanupTTL: String
    /// How many tasks, and how many events, one cleanup deletes at most.
    public let cleanupLimit: Int
    /// Whether empty old partitions may be detached.
    public let detachMode: DetachMode
    public let detachMinAge: String
}

/// A change of some of a queue's settings; nil leaves one as it is.
public struct QueuePolicyChange: Sendable, Hashable {
    public var defaultPartition: QueuePolicy.DefaultPartition?
    /// Intervals are in Postgres' words, for example `30 days`, and not negative.
    public var partitionLookahead: String?
    public var partitionLookback: String?
    public var cleanupTTL: String?
    /// From 1 to 2,147,483,647.
    public var cleanupLimit: Int?
    public var detachMode: QueuePolicy.DetachMode?
    public var detachMinAge: String?

    public init() {}
}

extension QueuePolicyChange {
    /// The object of `set_queue_policy`.
    ///
    /// - Throws: ``AbsurdError`` with the code `invalidArgument`.
    package func encoded() throws -> JSONText {
        if let cleanupLimit, !(1...Int(Int32.max)).contains(cleanupLimit) {
            throw AbsurdError.invalidArgument(
                "the cleanup limit must be from 1 to \(Int32.max), and is \(cleanupLimit)")
        }
        var object: [String: JSONValue] = [:]
        object["default_partition"] = defaultPartition.map { .string($0.rawValue) }
        object["partition_lookahead"] = partitionLookahead.map { .string($0) }
        object["partition_lookback"] = partitionLookback.map { .string($0) }
        object["cleanup_ttl"] = cleanupTTL.map { .string($0) }
        object["cleanup_limit"] = cleanupLimit.map { .integer(Int64($0)) }
        object["detach_mode"] = detachMode.map { .string($0.rawValue) }
        object["detach_min_age"] = detachMinAge.map { .string($0) }
        return try JSONText(encoding: JSONValue.object(object))
    }
}
