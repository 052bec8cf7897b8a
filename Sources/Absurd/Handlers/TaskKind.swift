/// Names a kind of task and ties the name to its queue, its types and its spawn defaults.
///
/// Declare each kind once and use that value both where tasks are spawned and where their handler is
/// registered. The name is stored in the database: renaming a kind strands the tasks that are queued under the
/// old name until a worker has a handler for it.
///
/// Input and output are `Codable`, or `Void` for none (stored as JSON `null`).
public struct TaskKind<Input: Sendable, Output: Sendable>: Sendable {
    /// Stored with each task; workers find the handler by it.
    public let name: String
    /// The queue that tasks of this kind are spawned into.
    public let queue: String
    /// Used where a spawn does not say otherwise.
    public let maxAttempts: AttemptLimit
    /// Used where a spawn does not say otherwise.
    ///
    /// Nil stores none: the next attempt is due at once.
    public let retry: RetryStrategy?
    /// Used where a spawn does not say otherwise.
    public let cancellation: CancellationPolicy?

    package let encodeInput: @Sendable (Input) throws -> JSONText
    package let decodeInput: @Sendable (JSONText) throws -> Input
    package let output: OutputCodec<Output>
}

/// Both directions of a task's result.
package struct OutputCodec<Output: Sendable>: Sendable {
    package let encode: @Sendable (Output) throws -> JSONText
    package let decode: @Sendable (JSONText) throws -> Output
}

extension OutputCodec where Output: Codable {
    package static var codable: OutputCodec {
        OutputCodec(encode: { try JSONText(encoding: $0) }, decode: { try $0.decode() })
    }
}

extension OutputCodec where Output == Void {
    package static var void: OutputCodec { OutputCodec(encode: { _ in .null }, decode: { _ in }) }
}

extension TaskKind where Input: Codable, Output: Codable {
    public init(
        _ name: String, queue: String = "default", maxAttempts: AttemptLimit = .standard,
        retry: RetryStrategy? = nil, cancellation: CancellationPolicy? = nil
    ) {
        self.init(
            name: name, queue: queue, maxAttempts: maxAttempts, retry: retry, cancellation: cancellation,
            encodeInput: { try JSONText(encoding: $0) }, decodeInput: { try $0.decode() }, output: .codable)
    }
}

extension TaskKind where Input: Codable, Output == Void {
    public init(
        _ name: String, queue: String = "default", maxAttempts: AttemptLimit = .standard,
        retry: RetryStrategy? = nil, cancellation: CancellationPolicy? = nil
    ) {
        self.init(
            name: name, queue: queue, maxAttempts: maxAttempts, retry: retry, cancellation: cancellation,
            encodeInput: { try JSONText(encoding: $0) }, decodeInput: { try $0.decode() }, output: .void)
    }
}

extension TaskKind where Input == Void, Output: Codable {
    public init(
        _ name: String, queue: String = "default", maxAttempts: AttemptLimit = .standard,
        retry: RetryStrategy? = nil, cancellation: CancellationPolicy? = nil
    ) {
        self.init(
            name: name, queue: queue, maxAttempts: maxAttempts, retry: retry, cancellation: cancellation,
            encodeInput: { _ in .null }, decodeInput: { _ in }, output: .codable)
    }
}

extension TaskKind where Input == Void, Output == Void {
    public init(
        _ name: String, queue: String = "default", maxAttempts: AttemptLimit = .standard,
        retry: RetryStrategy? = nil, cancellation: CancellationPolicy? = nil
    ) {
        self.init(
            name: name, queue: queue, maxAttempts: maxAttempts, retry: retry, cancellation: cancellation,
            encodeInput: { _ in .null }, decodeInput: { _ in }, output: .void)
    }
}
