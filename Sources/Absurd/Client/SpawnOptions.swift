/// What a spawn may say beyond the task's kind and input.
///
/// Nil takes the default of the kind.
public struct SpawnOptions: Sendable, Hashable {
    public var maxAttempts: AttemptLimit?
    public var retry: RetryStrategy?
    public var cancellation: CancellationPolicy?
    /// Metadata that travels with the task and that its handler can read.
    public var headers: [String: JSONValue] = [:]
    /// Makes the spawn happen once: a second one with the same key in the same queue returns the first task,
    /// whatever its name, parameters and state, until cleanup deletes it.
    ///
    /// Not empty: the spawn throws ``AbsurdError`` with the code `invalidArgument`.
    public var idempotencyKey: String?

    public init(
        maxAttempts: AttemptLimit? = nil, retry: RetryStrategy? = nil,
        cancellation: CancellationPolicy? = nil,
        headers: [String: JSONValue] = [:], idempotencyKey: String? = nil
    ) {
        self.maxAttempts = maxAttempts
        self.retry = retry
        self.cancellation = cancellation
        self.headers = headers
        self.idempotencyKey = idempotencyKey
    }
}

extension SpawnOptions {
    /// The options object of `spawn_task`: keys are left out rather than sent as null, save for "no limit".
    package func encoded() throws -> JSONText {
        var object: [String: JSONValue] = ["max_attempts": try (maxAttempts ?? .standard).encoded()]
        if let retry { object["retry_strategy"] = try retry.encoded() }
        if let policy = try cancellation?.encoded() { object["cancellation"] = policy }
        if !headers.isEmpty { object["headers"] = .object(headers) }
        if let idempotencyKey, idempotencyKey.isEmpty {
            throw AbsurdError.invalidArgument(
                "an idempotency key must not be empty: every task spawned with it would be the same one")
        }
        if let idempotencyKey { object["idempotency_key"] = .string(idempotencyKey) }
        return try encodeDocument(JSONValue.object(object), named: "the headers of a task")
    }
}
