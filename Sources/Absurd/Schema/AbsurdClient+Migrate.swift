import LibPQ

/// What a migration found and did.
public struct MigrationReport: Sendable, Hashable {
    /// What `absurd.get_schema_version()` answered before; nil when there was no schema.
    public let previousVersion: String?
    public let version: String
    /// Whether the base schema is the official one, which is left as it is.
    public let isOfficialBase: Bool
    /// The statements that were executed for single queues.
    public let queueStatements: [String]
}

extension AbsurdClient {
    /// Installs or upgrades the schemas that workers need.
    ///
    /// In an empty database, or one that this library set up, both schemas; beside an official schema only
    /// `absurd_swift`. The schemas change in one transaction under an advisory lock, so several programs may call this
    /// at once. Then each queue gets what it lacks, with statements that do not block it and that the next call
    /// repeats if this one is interrupted.
    ///
    /// - Throws: ``AbsurdError`` with the codes `privilegeMissing`, `schemaOutdated` (an official schema before 0.5.0)
    ///   and those of the connection.
    @discardableResult
    public func migrate() async throws -> MigrationReport {
        try await translatingErrors {
            let (previous, isOfficial) = try await installing { try await installSchemas() }
            let statements = try await completeQueues()
            return MigrationReport(
                previousVersion: previous, version: try await schemaVersion().absurd,
                isOfficialBase: isOfficial,
                queueStatements: statements)
        }
    }

    /// Says what the role lacks, when it may not do what `body` does.
    private func installing<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as PostgresError where error.sqlState == "42501" {
            let remedy = try await pool.query(Self.privilegeRemedy).first?.decode(0, as: String?.self)
            guard let remedy else { throw error }
            throw AbsurdError(
                .privilegeMissing, "the database role may not install the schemas; \(remedy)",
                sqlState: error.sqlState, serverMessage: error.message)
        }
    }

    /// What it takes to make the schemas, or who owns those that are there; null when it is something else.
    private static let privilegeRemedy = """
        select case
          when to_regnamespace('absurd_swift') is null
            and not has_database_privilege(current_database(), 'CREATE')
          then format(
            'connect as the owner of the database, or ask for: GRANT CREATE ON DATABASE %I TO %I',
            current_database(), current_user)
          else (
            select format('connect as %I, who owns the schema %I', pg_get_userbyid(nspowner), nspname)
            from pg_namespace
            where nspname in ('absurd', 'absurd_swift') and not pg_has_role(nspowner, 'USAGE')
            order by nspname limit 1)
        end
        """

    private func installSchemas() async throws -> (previous: String?, isOfficial: Bool) {
        try await pool.withTransaction { connection in
            // The key is arbitrary and ours; the lock ends with the transaction.
            _ = try await connection.query(
                "select pg_advisory_xact_lock(hashtextextended('absurd_swift.migrate', 0))")
            let previous = try await installedVersion(connection)
            let isOfficial = try previous.map(isOfficialVersion) ?? false
            let hasRoles = try await hasRoles(connection)
            if !isOfficial { try await connection.execute(script: AbsurdSchema.sql(.base)) }
            try await connection.execute(script: AbsurdSchema.sql(.extension))
            // Replacing a function takes away that it runs as its owner.
            if hasRoles { try await connection.execute(script: AbsurdSchema.roles) }
            return (previous, isOfficial)
        }
    }

    private func installedVersion(_ connection: PostgresConnection) async throws -> String? {
        let rows = try await connection.query(
            "select to_regprocedure('absurd.get_schema_version()') is not null as f")
        guard let row = rows.first, try row.decode("f", as: Bool.self) else { return nil }
        return try await connection.query("select absurd.get_schema_version() as v").first?.decode("v")
    }

    /// Whether the script of the roles was executed here.
    private func hasRoles(_ connection: PostgresConnection) async throws -> Bool {
        let rows = try await connection.query(
            """
            select exists (
              select from pg_proc
              where pronamespace = to_regnamespace('absurd_swift') and proname = 'spawn' and prosecdef
            ) as f
            """)
        return try rows.first?.decode("f", as: Bool.self) ?? false
    }

    private func isOfficialVersion(_ version: String) throws -> Bool {
        if version.hasPrefix("swift-") { return false }
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        if numbers.count == 2, (numbers[0], numbers[1]) < (0, 5) {
            throw AbsurdError(
                .schemaOutdated,
                "the database has version \(version) of the official schema; run 'absurdctl migrate' to reach 0.5 "
                    + "first")
        }
        return true
    }

    /// Executes what single queues still need, each statement by itself: `create index concurrently` cannot run in a
    /// transaction.
    private func completeQueues() async throws -> [String] {
        var executed: [String] = []
        let rows = try await pool.query("select statement from absurd_swift.missing_indexes()")
        for row in rows {
            let statement: String = try row.decode("statement")
            try await pool.withConnection { connection in
                try await connection.execute(script: statement, timeout: .hours(24))
            }
            executed.append(statement)
        }
        for row in try await pool.query("select statement from absurd_swift.missing_triggers()") {
            let statement: String = try row.decode("statement")
            try await makeTrigger(statement)
            executed.append(statement)
        }
        await planStatements(of: nil)
        return executed
    }

    /// Waits for writers only a moment at a time, since everybody who comes later waits behind it.
    private func makeTrigger(_ statement: String) async throws {
        try await resendingAfterConflict(attempts: 100) {
            try await pool.withTransaction { connection in
                try await connection.execute(script: "set local lock_timeout = '200ms'; \(statement)")
            }
        }
    }
}
