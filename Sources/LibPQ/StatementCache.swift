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

    /// Statements that the server still has and that nobody will execute any more; to be deallocated.
    private(set) var leftOvers: Set<String> = []

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

    /// Takes out the statement that was not used for longest, if there is no room for another one.
    mutating func makeRoom() {
        guard statements.count >= limit,
            let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse })
        else { return }
        remove(oldest.key)
    }

    /// Notes that the server has a statement of this name, of which nothing else is known yet.
    mutating func prepared(_ name: String) {
        leftOvers.insert(name)
    }

    mutating func deallocated(_ name: String) {
        leftOvers.remove(name)
    }

    mutating func insert(_ key: Key, name: String, columns: SQLColumns) -> Statement {
        leftOvers.remove(name)
        uses += 1
        let statement = Statement(name: name, columns: columns, lastUse: uses)
        statements[key] = statement
        return statement
    }

    mutating func remove(_ key: Key) {
        guard let statement = statements.removeValue(forKey: key) else { return }
        leftOvers.insert(statement.name)
    }
}
