import DequeModule

/// Which rows leave with the next statement: the rules of ``BatchLane``, without waiting.
///
/// Natural batching: while a statement is under way rows gather, and leave together with the next one. Whoever
/// comes while nothing is under way leaves at once.
package struct BatchQueue<Row: Sendable, Ticket: Sendable>: Sendable {
    package struct Entry: Sendable {
        package let row: Row
        package let bytes: Int
        /// How to reach the caller.
        package let ticket: Ticket
    }

    private let limits: BatchLimits
    private var pending: Deque<Entry> = []
    private var underWay = 0

    package init(limits: BatchLimits) { self.limits = limits }

    package var pendingCount: Int { pending.count }

    /// True when the caller may send now; it then owes ``sent()``.
    package mutating func startIfIdle() -> Bool {
        guard underWay < limits.statements, pending.isEmpty else { return false }
        underWay += 1
        return true
    }

    package mutating func join(_ row: Row, bytes: Int, ticket: Ticket) {
        pending.append(Entry(row: row, bytes: bytes, ticket: ticket))
    }

    /// A statement has its answer.
    ///
    /// Returns the row whose caller sends the next one, together with ``takeMore(bytes:)``, and then owes this call.
    package mutating func sent() -> Entry? {
        underWay -= 1
        guard let next = pending.popFirst() else { return nil }
        underWay += 1
        return next
    }

    /// What goes along with the row of the caller who sends: as much as has gathered, within the limits.
    ///
    /// A row of any size goes; a large one goes alone.
    package mutating func takeMore(bytes: Int) -> [Entry] {
        var taken: [Entry] = []
        var bytes = bytes
        while taken.count + 1 < limits.rows, let next = pending.first, bytes + next.bytes <= limits.bytes {
            bytes += next.bytes
            taken.append(pending.removeFirst())
        }
        return taken
    }
}

/// Bounds of one statement, and of how many are under way at once.
package struct BatchLimits: Sendable {
    package var rows: Int
    package var bytes: Int
    package var statements: Int

    package init(rows: Int = 500, bytes: Int = 8 << 20, statements: Int = 1) {
        self.rows = rows
        self.bytes = bytes
        self.statements = statements
    }
}
