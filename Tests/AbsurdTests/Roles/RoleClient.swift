import Absurd
import LibPQ
import Logging
import TestSupport

/// The roles of `absurd schema --roles`.
enum Role: String, CaseIterable, Sendable {
    case producer, worker, supervisor, `operator`, viewer

    var name: String { "absurd_\(rawValue)" }

    /// The database of the running test, entered as this role.
    var connectionString: String { Self.connectionString(enteringAs: name) }

    static func connectionString(enteringAs role: String) -> String {
        let text = TestDatabase.current.connectionString
        guard text.contains("://") else { return text + " options='-c role=\(role)'" }
        return text + (text.contains("?") ? "&" : "?") + "options=-c%20role%3D\(role)"
    }

    /// A client that has this role's rights and no others.
    func client() throws -> AbsurdClient {
        try makeClient { $0 = Self.entering($0, connectionString) }
    }

    private static func entering(_ old: AbsurdConfiguration, _ connectionString: String)
        -> AbsurdConfiguration
    {
        var configuration = AbsurdConfiguration(connectionString)
        configuration.maxConnections = old.maxConnections
        configuration.statementTimeout = old.statementTimeout
        return configuration
    }

    /// Makes the roles as the database's owner.
    static func make() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: AbsurdSchema.roles)
    }
}
