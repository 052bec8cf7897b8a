/// Code of the service that runs around every spawn and every execution.
///
/// For what concerns all tasks alike: adding headers, setting task-local values, measuring.
public struct Hooks: Sendable {
    /// Runs before a task is spawned and may change everything about it.
    ///
    /// An error it throws is thrown by the spawn.
    public var beforeSpawn: (@Sendable (_ request: SpawnRequest) async throws -> SpawnRequest)?

    /// Runs around each execution of a handler, and must call `execute` once.
    ///
    /// Errors, and the errors that suspend a run, pass through it: rethrow what `execute` throws. An error of its
    /// own fails the attempt like one of the handler.
    public var aroundExecution:
        (
            @concurrent @Sendable (
                _ context: TaskContext, _ execute: @escaping @Sendable () async throws -> Void
            ) async throws -> Void
        )?

    public init() {}
}
