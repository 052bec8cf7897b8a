package import LibPQ
package import Testing

/// Waits until a condition holds, and records an issue when it does not within the time given.
///
/// For states that another process or task brings about. The condition is asked every ten milliseconds; the
/// bound is generous because it only costs time when the test fails.
package func eventually(
    _ comment: Comment? = nil,
    within limit: Duration = .seconds(60),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: limit)
    while try await !condition() {
        guard clock.now < deadline else {
            Issue.record(
                comment ?? "the condition did not come true within \(limit)", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

extension TestDatabase {
    /// Waits until a query whose only column is a boolean answers true, asked on a connection of its own.
    package func wait(
        until query: String,
        _ parameters: [SQLParameter] = [],
        within limit: Duration = .seconds(60),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let connection = try await observingConnection()
        try await eventually("not within \(limit): \(query)", within: limit, sourceLocation: sourceLocation) {
            let row = try await connection.query(query, parameters).first
            return try row?.decode(0, as: Bool?.self) ?? false
        }
    }

    /// Waits until the session with this process id waits for a lock that another session holds.
    ///
    /// The way to order two transactions in a test: the second one is known to have arrived before the first
    /// goes on.
    package func waitUntilBlocked(
        _ backendPID: Int32, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await wait(
            until: "select cardinality(pg_blocking_pids($1::integer)) > 0", [.int(Int64(backendPID))],
            sourceLocation: sourceLocation)
    }

    /// How many sessions are connected to this database, the observing one not counted.
    package func sessionCount() async throws -> Int {
        let rows = try await observingConnection().query(
            """
            select count(*) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
            """)
        return try rows.first?.decode(0, as: Int.self) ?? 0
    }
}
