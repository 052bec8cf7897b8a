/// How often a task may be attempted before it fails for good.
///
/// Written as a number, `maxAttempts: 3`, or as `.unlimited`. Sleeping, waiting and being given back at shutdown
/// are not attempts; a worker that dies costs one.
public struct AttemptLimit: Hashable, Sendable, ExpressibleByIntegerLiteral {
    /// Nil stands for no limit.
    public let attempts: Int?

    /// From 1 to 2,147,483,647; for any other number the spawn throws ``AbsurdError`` with the code `invalidArgument`.
    public static func attempts(_ attempts: Int) -> AttemptLimit { AttemptLimit(attempts) }

    /// Attempted until it completes or is cancelled.
    ///
    /// Give such a task a retry strategy, or it will spin.
    public static let unlimited = AttemptLimit(nil)

    /// Five, as in the other SDKs.
    public static let standard: AttemptLimit = 5

    public init(integerLiteral value: Int) { self.init(value) }

    private init(_ attempts: Int?) { self.attempts = attempts }
}

extension AttemptLimit {
    package func encoded() throws -> JSONValue {
        guard let attempts else { return .null }
        guard attempts >= 1, attempts <= Int(Int32.max) else {
            throw AbsurdError.invalidArgument(
                "maxAttempts must be from 1 to \(Int32.max), or .unlimited, and is \(attempts)")
        }
        return .integer(Int64(attempts))
    }
}
