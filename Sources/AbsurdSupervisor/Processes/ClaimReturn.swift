import Absurd

/// Gives what a dead process had claimed to others, at once.
struct ClaimReturn: Sendable {
    let client: AbsurdClient

    /// Returns how many runs have come back, an attempt spent each.
    ///
    /// - Parameter process: What the process had in `ABSURD_PROCESS`.
    /// - Parameter patience: How long this may take from its beginning; asked again and again, since it shortens when the
    ///   supervisor is to end.
    func giveBack(of process: String, within patience: @escaping @Sendable () -> Duration) async throws -> Int
    {
        return try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await client.processLost(process) }
            group.addTask {
                let start = ContinuousClock.now
                while .now < start + patience() { try await Task.sleep(for: .milliseconds(100)) }
                throw NoAnswer(limit: patience())
            }
            defer { group.cancelAll() }
            return try await group.next() ?? 0
        }
    }

    private struct NoAnswer: Error, CustomStringConvertible {
        let limit: Duration
        var description: String { "no answer within \(limit.rounded)" }
    }
}
