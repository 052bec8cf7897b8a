/// How an attempt ended, for handlers that say so by a value.
public enum HandlerResult: Sendable {
    /// The task is done and this is its result.
    case complete(JSONValue)
    /// The attempt failed for that reason. Whether there is a next one is up to `retry`.
    case fail(JSONValue, retry: TaskFailure.Retry = .byStrategy)
    /// The run was parked by the context (``TaskContext/receiveEvent(_:name:timeout:)`` answered `suspended`, for
    /// example). Without anything parked the attempt fails and says so.
    case suspend

    /// The task is done and has no result.
    public static var complete: HandlerResult { .complete(.null) }

    /// The task is done; its result is the JSON form of the value.
    ///
    /// - Throws: `EncodingError` when the value has no JSON form; when it is nested deeper than ``JSONValue`` holds,
    ///   `DecodingError` or ``AbsurdError``.
    public static func complete(encoding value: some Encodable) throws -> HandlerResult {
        .complete(try JSONText(encoding: value).value())
    }
}

/// What a handler of either form handed back, before the worker decides what it means.
package enum HandlerReturn: Sendable {
    case complete(JSONText)
    case fail(TaskFailure)
    case suspend

    package init(_ result: HandlerResult) throws {
        switch result {
        case .complete(let value): self = .complete(try JSONText(encoding: value))
        case .fail(let reason, let retry):
            var failure = TaskFailure(reason: reason)
            failure.retry = retry
            self = .fail(failure)
        case .suspend: self = .suspend
        }
    }
}
