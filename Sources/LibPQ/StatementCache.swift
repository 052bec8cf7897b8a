/// The statements that are prepared on one connection.
struct StatementCache {
    /// Statements with the same text and different array types are different statements.
    struct Key: Hashable {
        var sql: String
        var types: [UInt32]
    }

    struct Statement {
        var name: String
        /// What its results look like.
        var columns: SQLColumns
        fileprivate var lastUse: UInt64
    }

    private let limit: Int
    private var statements: [Key: Statement] = [:]
    private var uses: UInt64 = 0
    private var lastName = 0

    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    var count: Int { statements.count }

    mutating func find(_ key: Key) -> Statement? {
        guard let index = statements.index(forKey: key) else { return nil }
        uses += 1
        statements.values[index].lastUse = uses
        return statements.values[index]
    }

    /// A name no statement of this connection has had.
    mutating func makeName() -> String {
        lastName += 1
        return "s\(lastName)"
    }

    /// Takes out the statement that was not used for longest, if there is no room for another one; it has
    /// to be deallocated on the server.
    mutating func makeRoom() -> Statement? {
        guard statements.count >= limit,
            let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse })
        else { return nil }
        return statements.removeValue(forKey: oldest.key)
    }

    mutating func insert(_ key: Key, name: String, columns: SQLColumns) -> Statement {
        uses += 1
        let statement = Statement(name: name, columns: columns, lastUse: uses)
        statements[key] = statement
        return statement
    }

    mutating func remove(_ key: Key) {
        statements[key] = nil
    }
}
