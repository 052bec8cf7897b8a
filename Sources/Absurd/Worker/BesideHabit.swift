/// How statements of a client claim for a worker beside its claim loop.
package enum BesideManner: Sendable {
    /// By the queue's own function, which takes rights on the tables and saves a fifth of the time.
    case ownFunction
    /// By the function of the schema, which a role with no more than it needs may call.
    case schemaFunction
    /// Not at all: the role is not a worker's, or the database's functions are older.
    case never
}

/// Whether it is worth while to claim with the statement that makes a run due: the rules, without I/O.
///
/// A statement that comes to nothing is sent once more without the claim. So after several in a row, as of a program that
/// spawns what is there already, most of them are not tried.
package struct BesideHabit: Sendable {
    package private(set) var manner = BesideManner.ownFunction
    private var emptyAnswers = 0
    private var skipped = 0

    package init() {}

    package mutating func isWorthTrying() -> Bool {
        guard manner != .never else { return false }
        guard emptyAnswers >= 3, skipped < min(1 << (emptyAnswers - 2), 64) else {
            skipped = 0
            return true
        }
        skipped += 1
        return false
    }

    package mutating func answered(isEmpty: Bool) {
        emptyAnswers = isEmpty ? min(emptyAnswers + 1, 10) : 0
    }

    package mutating func refused(_ refused: BesideManner) {
        guard refused == manner else { return }
        manner = manner == .ownFunction ? .schemaFunction : .never
    }
}
