import Absurd
import EphemeralPostgres

/// The database that `absurd dev` offers on its private server.
struct DevDatabase {
    static let name = "absurd"

    /// Names everything, so that no `PG...` variable of the shell leads elsewhere.
    ///
    /// There is no password in it.
    let url: String
    let queues: [String]

    /// Makes what is missing: the database, the schemas and the queues.
    static func prepare(on server: EphemeralPostgres, queues: [String]) async throws -> DevDatabase {
        try await makeDatabase(on: server)
        let url = server.connectionString(database: name)
        try await withAbsurd(AbsurdConfiguration(url), logger: .silent) { client in
            try await client.migrate()
            for queue in queues { try await client.createQueue(queue) }
        }
        return DevDatabase(url: url, queues: queues)
    }

    private static func makeDatabase(on server: EphemeralPostgres) async throws {
        try await withAbsurd(AbsurdConfiguration(server.connectionString), logger: .silent) { client in
            let rows = try await client.query("select from pg_database where datname = '\(name)'")
            if rows.isEmpty { _ = try await client.query("create database \(name)") }
        }
    }

    func json(dataDirectory: String?) -> JSONOutput {
        .object([
            ("database_url", .string(url)),
            ("queues", .strings(queues)),
            ("data_directory", .optional(dataDirectory)),
        ])
    }
}
