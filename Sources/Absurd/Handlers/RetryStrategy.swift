/// How long a task waits after a failed attempt before the next one.
///
/// The delay is computed by the database when an attempt fails, and stored with the task when it is spawned:
/// a change reaches only tasks spawned after it. A spawn throws ``AbsurdError`` with the code `invalidArgument` for a
/// strategy with a value out of its limits.
public struct RetryStrategy: Hashable, Sendable {
    package enum Kind: String { case none, fixed, exponential }
    package let kind: Kind
    package let base: Duration?
    package let factor: Double?
    package let cap: Duration?

    /// The next attempt is due at once.
    ///
    /// This is what a task without a strategy does, too.
    public static let immediate = RetryStrategy(kind: .none, base: nil, factor: nil, cap: nil)

    /// The same delay after each attempt.
    ///
    /// From zero to one day. Defaults to 60 seconds.
    public static func fixed(_ delay: Duration = .seconds(60)) -> RetryStrategy {
        RetryStrategy(kind: .fixed, base: delay, factor: nil, cap: nil)
    }

    /// `base` after the first attempt, then `factor` times as long after each further one, never above `cap`.
    ///
    /// - Parameters:
    ///   - base: From zero to one day. Defaults to 30 seconds.
    ///   - factor: Not negative, finite. Defaults to 2.
    ///   - cap: From zero to one day. Defaults to one day.
    public static func exponential(
        base: Duration = .seconds(30), factor: Double = 2, cap: Duration = .days(1)
    ) -> RetryStrategy {
        RetryStrategy(kind: .exponential, base: base, factor: factor, cap: cap)
    }
}

extension RetryStrategy {
    /// The object stored in `retry_strategy`, with the keys that all SDKs share.
    package func encoded() throws -> JSONValue {
        var object: [String: JSONValue] = ["kind": .string(kind.rawValue)]
        if let base { object["base_seconds"] = try seconds(base, "the base of a retry strategy") }
        if let factor {
            guard factor >= 0, factor.isFinite else {
                throw AbsurdError.invalidArgument(
                    "the factor of a retry strategy must be finite and not negative, and is \(factor)")
            }
            object["factor"] = .double(factor)
        }
        if let cap { object["max_seconds"] = try seconds(cap, "the cap of a retry strategy") }
        return .object(object)
    }

    private func seconds(_ duration: Duration, _ name: String) throws -> JSONValue {
        guard duration >= .zero, duration <= .days(1) else {
            throw AbsurdError.invalidArgument("\(name) must be from zero to one day, and is \(duration)")
        }
        return .double(duration.inSeconds)
    }
}
