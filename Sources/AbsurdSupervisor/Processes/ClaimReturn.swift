import Absurd

/// Gives what a dead process had claimed to others, at once.
struct ClaimReturn: Sendable {
    let client: AbsurdClient

    /// Longer is of no use: meanwhile others have noticed.
    private static let limit = Duration.seconds(10)

    /// Returns how many runs have come back, an attempt spent each.
    ///
    /// - Parameter process: What the process had in `ABSURD_PROCESS`.
    func giveBack(of process: String) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await client.processLost(process) }
            group.addTask {
                try await Task.sleep(for: Self.limit)
                throw NoAnswer(limit: Self.limit)
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
