import LibPQ

/// Databases that test processes leave on a server that is not theirs when they are killed.
///
/// Each process holds an advisory lock for as long as it is connected; a database whose process's lock is free
/// belongs to nobody.
struct LeftOvers {
    static let prefix = "absurd_test_"

    private let admin: PostgresConnection

    init(_ admin: PostgresConnection) {
        self.admin = admin
    }

    /// Takes the lock of this process and drops what dead ones have left.
    func claim(run: String) async throws {
        _ = try await admin.query(
            "select pg_advisory_lock(hashtextextended($1, 0))", [.text(Self.prefix + run)])
        let rows = try await admin.query(
            """
            select datname::text as name,
                   pg_try_advisory_lock(hashtextextended(substring(datname from '^absurd_test_[0-9a-f]{8}'), 0))
                     as is_free
              from pg_database
             where datname ~ '^absurd_test_[0-9a-f]{8}_[0-9]+$'
               and datname not like $1
            """, [.text(Self.prefix + run + "%")])
        for row in rows where try row.decode("is_free", as: Bool.self) {
            let name = try row.decode("name", as: String.self)
            try await admin.execute(script: "drop database if exists \(name) with (force)")
        }
    }
}
