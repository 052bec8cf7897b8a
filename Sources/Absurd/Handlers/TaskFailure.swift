package import LibPQ

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Why an attempt or a task failed, as it is stored.
///
/// Throw one from a handler to say how it failed and whether to try again. ``TaskHandle/result(timeout:)``
/// throws the one that ended the task.
public struct TaskFailure: Error, Hashable, Sendable {
    /// Whether and when the task is attempted again.
    public struct Retry: Hashable, Sendable {
        package enum Kind: Hashable { case strategy, never, after(Duration), at(PostgresTimestamp) }
        package let kind: Kind

        /// By the task's retry strategy and attempt limit.
        ///
        /// The default.
        public static let byStrategy = Retry(kind: .strategy)
        /// Not at all: the task fails for good although attempts are left.
        public static let never = Retry(kind: .never)
        /// After that long, by the database's clock, if attempts are left.
        public static func after(_ delay: Duration) -> Retry { Retry(kind: .after(delay)) }
        /// At that time, by the database's clock, if attempts are left.
        ///
        /// A time in the past means at once.
        public static func at(_ date: Date) -> Retry { Retry(kind: .at(PostgresTimestamp(date))) }
    }

    /// The kind of error: the Swift type that was thrown, or one of those that no handler throws: `$ClaimTimeout`,
    /// `$AttemptTimeout`, `$WorkerLost`.
    public var name: String
    /// What happened, for people.
    public var message: String
    /// The members of the stored object beyond name, message, stack and traceback.
    public var details: [String: JSONValue]
    /// Where it happened, if the worker that wrote it said so.
    public var stack: String?
    /// What the handler asked for; `byStrategy` on a failure read from the database.
    public var retry: Retry

    public init(
        _ message: String, name: String = "TaskFailure", details: [String: JSONValue] = [:],
        retry: Retry = .byStrategy
    ) {
        self.name = name
        self.message = message
        self.details = details
        self.stack = nil
        self.retry = retry
    }
}

extension TaskFailure {
    /// The failure that stands for any error a handler threw.
    package init(describing error: any Error) {
        switch error {
        case let failure as TaskFailure: self = failure
        case let error as DecodingError: self.init(describe(error), name: "DecodingError")
        default: self.init(String(describing: error), name: String(describing: type(of: error)))
        }
    }

    /// The failure of an attempt whose handler has executed for longer than it may.
    package static func attemptTimeout(_ limit: Duration) -> TaskFailure {
        TaskFailure(
            "the handler executed for longer than its attempt timeout of \(limit.inSeconds) seconds",
            name: "$AttemptTimeout")
    }

    /// The failure that a stored `failure_reason` describes, whoever wrote it.
    package init(reason: JSONValue) {
        guard case .object(var members) = reason else {
            self.init(Self.text(of: reason), name: "Failure")
            return
        }
        let name = members.removeValue(forKey: "name")?.stringValue
        let message = members.removeValue(forKey: "message")?.stringValue
        let stack = members.removeValue(forKey: "stack")?.stringValue
        let traceback = members.removeValue(forKey: "traceback")?.stringValue
        self.init(message ?? Self.text(of: reason), name: name ?? "Failure", details: members)
        self.stack = stack ?? traceback
    }

    /// The object stored in `failure_reason`.
    ///
    /// `stack` and `traceback` are both there because the dashboard of the TypeScript SDK wants the one and
    /// readers of the Python SDK the other.
    package var reason: JSONValue {
        var members = details
        members["name"] = .string(name)
        members["message"] = .string(message)
        members["stack"] = .string(stack ?? "")
        members["traceback"] = .string(stack ?? "")
        return .object(members)
    }

    private static func text(of value: JSONValue) -> String {
        if let text = value.stringValue { return text }
        // A value that was decoded from JSON can be encoded again.
        return (try? JSONText(encoding: value).text) ?? "no reason given"
    }
}

extension TaskFailure: CustomStringConvertible {
    public var description: String { "\(name): \(message)" }
}
