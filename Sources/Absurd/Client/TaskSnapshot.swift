/// The state of a task at one instant, with its outcome once there is one.
///
/// As JSON it has the members that all SDKs use: `state`, and `result` or `failure`.
public struct TaskSnapshot: Sendable, Hashable, Codable {
    public let state: TaskState
    /// The result as untyped JSON.
    ///
    /// Nil unless the task is completed.
    public let result: JSONValue?
    /// Why the last attempt failed.
    ///
    /// Nil unless the task is failed.
    public let failure: TaskFailure?

    package init(state: TaskState, result: JSONValue?, failure: TaskFailure?) {
        self.state = state
        self.result = result
        self.failure = failure
    }

    private enum CodingKeys: String, CodingKey { case state, result, failure }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        state = try container.decode(TaskState.self, forKey: .state)
        // A completed task may have the result JSON null, which is not the same as having none.
        result =
            state == .completed
            ? try container.decodeIfPresent(JSONValue.self, forKey: .result) ?? .null : nil
        failure =
            state == .failed
            ? TaskFailure(reason: try container.decodeIfPresent(JSONValue.self, forKey: .failure) ?? .null)
            : nil
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(state, forKey: .state)
        if let result { try container.encode(result, forKey: .result) }
        if let failure { try container.encode(failure.reason, forKey: .failure) }
    }
}

extension TaskSnapshot {
    /// The typed result of a task that has ended.
    package func result<Output: Sendable>(_ handle: TaskHandle<Output>) throws -> Output {
        switch state {
        case .completed:
            do {
                return try handle.output.decode(JSONText(encoding: result ?? .null))
            } catch let error as DecodingError {
                throw AbsurdError(
                    .undecodable,
                    "the result of task \(handle.taskID) does not decode as \(Output.self): \(describe(error))"
                )
            }
        case .failed:
            throw failure ?? TaskFailure("no reason was stored")
        case .cancelled:
            throw TaskFailure("task \(handle.taskID) was cancelled", name: "TaskCancelled")
        case .pending, .running, .sleeping:
            throw AbsurdError(.timedOut, "task \(handle.taskID) has not ended yet; it is \(state.rawValue)")
        }
    }
}
