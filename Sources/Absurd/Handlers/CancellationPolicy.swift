/// When the database cancels a task by itself.
///
/// Enforced whenever a worker claims from the queue; a task that nobody serves is not cancelled until somebody
/// does. A spawn throws ``AbsurdError`` with the code `invalidArgument` for a time that is negative or longer than
/// 2,147,483,647 seconds.
public struct CancellationPolicy: Hashable, Sendable {
    /// How long after spawning the first attempt must have started.
    ///
    /// Whole seconds, rounded up. Nil: for ever.
    public var startWithin: Duration?

    /// How long after its first start the task must have ended, sleeps and retries included.
    ///
    /// Whole seconds, rounded up. Nil: for ever.
    public var endWithin: Duration?

    public init(startWithin: Duration? = nil, endWithin: Duration? = nil) {
        self.startWithin = startWithin
        self.endWithin = endWithin
    }
}

extension CancellationPolicy {
    /// The object stored in `cancellation`, nil when there is nothing to store.
    package func encoded() throws -> JSONValue? {
        var object: [String: JSONValue] = [:]
        if let startWithin {
            object["max_delay"] = .integer(Int64(try startWithin.wholeSeconds("startWithin")))
        }
        if let endWithin {
            object["max_duration"] = .integer(Int64(try endWithin.wholeSeconds("endWithin")))
        }
        return object.isEmpty ? nil : .object(object)
    }
}
