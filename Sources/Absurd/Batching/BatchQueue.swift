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

    /// Where a row waits, or has waited before it was withdrawn.
    private struct Place {
        let number: Int
        var entry: Entry?
    }

    private let limits: BatchLimits
    /// In the order of their numbers.
    private var places: Deque<Place> = []
    private var vacancies = 0
    private var lastNumber = 0
    private var underWay = 0

    package init(limits: BatchLimits) { self.limits = limits }

    package var pendingCount: Int { places.count - vacancies }

    /// How many places are held in memory; at most twice as many as rows wait, and one.
    package var placeCount: Int { places.count }

    /// True when the caller may send now; it then owes ``sent()``.
    package mutating func startIfIdle() -> Bool {
        guard underWay < limits.statements, pendingCount == 0 else { return false }
        underWay += 1
        return true
    }

    /// Returns the number by which the row can be withdrawn.
    @discardableResult
    package mutating func join(_ row: Row, bytes: Int, ticket: Ticket) -> Int {
        lastNumber += 1
        places.append(Place(number: lastNumber, entry: Entry(row: row, bytes: bytes, ticket: ticket)))
        return lastNumber
    }

    /// Takes a row out again, unless it has left.
    ///
    /// Its memory is free at once; its place is, when half of the places are vacant, so that this stays cheap however
    /// many wait.
    package mutating func withdraw(_ number: Int) {
        guard let index = index(of: number), places[index].entry != nil else { return }
        places[index].entry = nil
        vacancies += 1
        guard vacancies > places.count / 2 else { return }
        places.removeAll { $0.entry == nil }
        vacancies = 0
    }

    /// A statement has its answer.
    ///
    /// Returns the row whose caller sends the next one, together with ``takeMore(bytes:)``, and then owes this call.
    package mutating func sent() -> Entry? {
        underWay -= 1
        guard let next = first else { return nil }
        removeFirst()
        underWay += 1
        return next
    }

    /// What goes along with the row of the caller who sends: as much as has gathered, within the limits.
    ///
    /// A row of any size goes; a large one goes alone.
    package mutating func takeMore(bytes: Int) -> [Entry] {
        var taken: [Entry] = []
        var bytes = bytes
        while taken.count + 1 < limits.rows, let next = first, bytes + next.bytes <= limits.bytes {
            bytes += next.bytes
            taken.append(next)
            removeFirst()
        }
        return taken
    }

    /// The row that has waited longest.
    private var first: Entry? {
        mutating get {
            while let place = places.first {
                if let entry = place.entry { return entry }
                places.removeFirst()
                vacancies -= 1
            }
            return nil
        }
    }

    private mutating func removeFirst() { places.removeFirst() }

    private func index(of number: Int) -> Int? {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < places.count && places[low].number == number ? low : nil
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
