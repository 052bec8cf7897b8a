import LibPQ

/// Sends an idempotent statement again, a few times, after a lost connection or a conflict of locks.
///
/// - Throws: The error of the last attempt; but that of the lost connection when the later attempts found no
///   server, since what was sent before may have taken effect.
package func resendingAfterConflict<Result>(
    attempts: Int = 4, _ send: () async throws -> Result
) async throws -> Result {
    try await resending(attempts: attempts, isCancellable: true, where: { $0.isWorthResending }, send)
}

/// The same after a lost connection only: what holds a lock is left to the caller.
///
/// - Parameter isCancellable: Whether the pauses end with the calling task; the next attempt then says so. Not for a
///   task that sends for others: it would use up their attempts without a pause.
package func resendingAfterLoss<Result>(
    attempts: Int, isCancellable: Bool, _ send: () async throws -> Result
) async throws -> Result {
    try await resending(
        attempts: attempts, isCancellable: isCancellable,
        where: { $0.isWorthResending && !$0.isLockConflict }, send)
}

private func resending<Result>(
    attempts: Int, isCancellable: Bool, where isWorthIt: (PostgresError) -> Bool,
    _ send: () async throws -> Result
) async throws -> Result {
    var pauses = Backoff(base: .milliseconds(5), cap: .milliseconds(500))
    var loss: PostgresError?
    var left = max(attempts, 1)
    while true {
        do {
            return try await send()
        } catch let error as PostgresError {
            if error.isLoss { loss = error }
            left -= 1
            guard left > 0, isWorthIt(error) else {
                throw error.foundNoServer ? loss ?? error : error
            }
            if isCancellable {
                // When cancelled, the next attempt says so.
                try? await Task.sleep(for: pauses.next())
            } else {
                await sleepDespiteCancellation(for: pauses.next())
            }
        }
    }
}

extension PostgresError {
    fileprivate var isWorthResending: Bool { isLoss || isLockConflict || sqlState == "40001" }

    /// The connection went away under the statement, or the server ended it when it stopped.
    fileprivate var isLoss: Bool {
        switch code {
        case .connectionLost, .commitUnknown: true
        case .server: sqlState == "57P01" || sqlState == "57P02"
        default: false
        }
    }

    fileprivate var foundNoServer: Bool { code == .connectionFailed || code == .poolTimedOut }
}
