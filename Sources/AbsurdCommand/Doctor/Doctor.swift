import Absurd
import LibPQ

/// Examines a database, from the connection up to its queues.
///
/// A check that others need ends the examination when it fails.
struct Doctor {
    static let connectionCheck = "connection"

    /// From where on something is a finding.
    struct Limits {
        /// How long a transaction may be open.
        var openTransaction = Duration.seconds(300)
        /// A tenth of a million dead rows that outnumber the living is what autovacuum's defaults never leave.
        var deadRows: Int64 = 100_000
        /// How many transactions old the oldest row may be.
        var transactionAge: Int64 = 1_000_000_000
    }

    let configuration: PostgresConfiguration
    let limits: Limits

    init(_ configuration: AbsurdConfiguration, limits: Limits = Limits()) throws {
        self.limits = limits
        var configuration = try configuration.postgres()
        // So that every check gets through a pooler that does not keep prepared statements.
        configuration.preparesStatements = false
        self.configuration = configuration
    }

    func examine() async throws -> [Finding] {
        let connection: PostgresConnection
        do {
            connection = try await connect()
        } catch let error as PostgresError {
            return [.failed(Self.connectionCheck, message: AbsurdError(error).message)]
        }
        let findings = await examine(through: connection)
        await connection.close()
        return findings
    }

    func connect() async throws -> PostgresConnection {
        try await PostgresConnection.connect(configuration, logger: .silent)
    }

    private func examine(through connection: PostgresConnection) async -> [Finding] {
        var findings: [Finding] = []
        // What the rest cannot do without.
        for (check, examine) in [
            (Self.connectionCheck, server), ("schema", schema), ("privileges", privileges),
        ] {
            let found = await run(check, connection, examine)
            findings += found
            if found.status == .failed { return findings + (await onTheServer(connection)) }
        }
        findings += await run("queues", connection, queueObjects)
        findings += await onTheServer(connection)
        let late = await run("queues", connection, queues)
        return findings + late.filter { !findings.contains($0) }
    }

    /// What needs no schema.
    private func onTheServer(_ connection: PostgresConnection) async -> [Finding] {
        var findings: [Finding] = []
        for (check, examine) in [
            ("pooler", pooler), ("listen", listening), ("clock", clock), ("vacuum", vacuum),
            ("durability", durability), ("connections", connections),
        ] {
            findings += await run(check, connection, examine)
        }
        return findings
    }

    private func run(
        _ check: String, _ connection: PostgresConnection,
        _ examine: (PostgresConnection) async throws -> [Finding]
    ) async -> [Finding] {
        do {
            return try await examine(connection)
        } catch let error as PostgresError where error.sqlState == "42501" {
            // A role may have all that its work takes and still not read everything.
            return [.ok(check, "not looked into: this role may not read it all; absurd_viewer may")]
        } catch let error as PostgresError {
            return [.failed(check, message: AbsurdError(error).message)]
        } catch {
            return [.failed(check, message: String(describing: error))]
        }
    }

    /// Rows of status, text and remedy, as statements that do the whole check return them.
    func findings(
        _ check: String, _ connection: PostgresConnection, _ sql: String, _ parameters: [SQLParameter] = []
    ) async throws -> [Finding] {
        try await connection.query(sql, parameters).map { row in
            Finding(
                check: check, status: Finding.Status(rawValue: try row.decode("status")) ?? .failed,
                text: try row.decode("text"), remedy: try row.decode("remedy", as: String?.self))
        }
    }
}

extension SQLRows {
    /// The one value of a statement that returns one.
    func value<Value: SQLDecodable>(as type: Value.Type = Value.self) throws -> Value {
        guard let row = first else { throw PostgresError(.decoding, "the statement returned no row") }
        return try row.decode(0)
    }
}
