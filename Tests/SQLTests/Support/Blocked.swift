import LibPQ
import TestSupport
import Testing

extension Session {
    /// Holds what `statement` locks while `work` runs on another session, and lets go when `work` is seen
    /// waiting for it.
    ///
    /// - Parameter finally: what the holder does before it commits.
    func holding<Result: Sendable>(
        _ statement: String,
        _ parameters: SQLParameter...,
        finally: (Session) async throws -> Void = { _ in },
        whileBlocked other: Session,
        _ work: @Sendable (Session) async throws -> Result
    ) async throws -> Result {
        try await connection.execute(script: "begin")
        _ = try await connection.query(statement, parameters)
        async let outcome = work(other)
        try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
        try await finally(self)
        try await connection.execute(script: "commit")
        return try await outcome
    }

    /// Holds what `statement` locks while `work` runs to its end on another session, which must not wait.
    func holding(
        _ statement: String,
        _ parameters: SQLParameter...,
        during work: () async throws -> Void
    ) async throws {
        try await connection.execute(script: "begin")
        _ = try await connection.query(statement, parameters)
        try await work()
        try await connection.execute(script: "rollback")
    }
}
