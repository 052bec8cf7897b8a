/// How long a statement may take, and whether it may be interrupted at all.
struct StatementLimit: Sendable {
    var deadline: ContinuousClock.Instant
    /// Whether cancelling the task cancels the statement.
    var followsTask: Bool
    /// Whether the server may be asked to cancel it.
    ///
    /// Not for a COMMIT, whose outcome would be unknown.
    var canBeCancelledOnServer = true
    /// Whether the caller sends it again when its connection is lost; only such a statement may be abandoned.
    var isRepeatable = false

    init(
        timeout: Duration, followsTask: Bool = true, canBeCancelledOnServer: Bool = true,
        isRepeatable: Bool = false
    ) {
        deadline = .now + timeout
        self.followsTask = followsTask
        self.canBeCancelledOnServer = canBeCancelledOnServer
        self.isRepeatable = isRepeatable
    }
}
