/// The code that executes tasks of one name.
///
/// A handler may run several times for one task: after each sleep or wait, and after each failed attempt. Steps
/// that were recorded are not run again; everything else is. Handlers run concurrently, off any actor.
public struct Handler: Sendable {
    /// Runs when an attempt has failed, before the failure is stored.
    ///
    /// It cannot change the outcome. Not for failures that others store, such as `$ClaimTimeout`.
    public typealias OnError = @concurrent @Sendable (_ failure: TaskFailure, _ run: RunInfo) async -> Void

    /// The task name that it serves.
    public let taskName: String
    /// The queue that its kind belongs to; nil for a handler registered by name, which any worker takes.
    public let queue: String?

    /// How long the handler may execute at a stretch before its attempt fails; nil when there is no limit.
    ///
    /// Counted from when an execution of the handler starts, and anew when the run goes on after a sleep or a wait, which
    /// end the execution. When it has passed, the handler's Swift task is cancelled, its durable calls throw
    /// ``ExecutionEnded``, and the attempt fails with `$AttemptTimeout`; another follows by the task's retry strategy.
    ///
    /// A handler that ignores its cancellation cannot record anything any more. A second later its attempt fails all the
    /// same, `onError` runs beside it, and the next attempt may start while it still executes. It keeps its slot until it
    /// returns; the worker says so in the log.
    ///
    /// The limit does not keep the claim: see ``WorkerOptions/renewal``. From one millisecond to 365 days, which is
    /// checked when a worker is made.
    public let attemptTimeout: Duration?

    package let execute: @concurrent @Sendable (TaskContext) async throws -> HandlerReturn
    package let onError: OnError?
}

extension Handler {
    /// A typed handler: returning completes the task, throwing fails the attempt, waiting suspends it.
    public init<Input: Sendable, Output: Sendable>(
        _ kind: TaskKind<Input, Output>,
        attemptTimeout: Duration? = nil,
        _ body: @escaping @concurrent @Sendable (Input, TaskContext) async throws -> Output,
        onError: OnError? = nil
    ) {
        self.taskName = kind.name
        self.queue = kind.queue
        self.attemptTimeout = attemptTimeout
        self.onError = onError
        self.execute = { context in
            let input: Input
            do {
                input = try kind.decodeInput(context.paramsText)
            } catch let error as DecodingError {
                throw TaskFailure(
                    "the parameters of task '\(kind.name)' do not decode as \(Input.self): \(describe(error)); spawn it "
                        + "again with parameters of that type, or change the type",
                    name: "DecodingError")
            }
            return .complete(try kind.output.encode(try await body(input, context)))
        }
    }

    /// A typed handler of a kind without input.
    public init<Output: Sendable>(
        _ kind: TaskKind<Void, Output>,
        attemptTimeout: Duration? = nil,
        _ body: @escaping @concurrent @Sendable (TaskContext) async throws -> Output,
        onError: OnError? = nil
    ) {
        self.init(
            kind, attemptTimeout: attemptTimeout,
            { (_: Void, context: TaskContext) in try await body(context) },
            onError: onError)
    }

    /// An explicit handler: the outcome is a value, and a thrown error fails the attempt.
    public init(
        _ taskName: String,
        attemptTimeout: Duration? = nil,
        _ body: @escaping @concurrent @Sendable (TaskContext) async throws -> HandlerResult,
        onError: OnError? = nil
    ) {
        self.taskName = taskName
        self.queue = nil
        self.attemptTimeout = attemptTimeout
        self.onError = onError
        self.execute = { context in try HandlerReturn(try await body(context)) }
    }
}
