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
/// A statement that comes to nothing is sent once more without the claim. So after several of a kind in a row, as of a
/// program that spawns what is there already, most of them are not tried.
package struct BesideHabit: Sendable {
    package enum Kind: Sendable { case spawn, emission }

    private struct Streak {
        var emptyAnswers = 0
        var skipped = 0

        mutating func isWorthTrying() -> Bool {
            guard emptyAnswers >= 3, skipped < min(1 << (emptyAnswers - 2), 64) else {
                skipped = 0
                return true
            }
            skipped += 1
            return false
        }
    }

    package private(set) var manner = BesideManner.ownFunction
    private var streaks: [Kind: Streak] = [:]

    package init() {}

    package mutating func isWorthTrying(_ kind: Kind) -> Bool {
        manner != .never && streaks[kind, default: Streak()].isWorthTrying()
    }

    /// - Parameter isEmpty: Whether the statement did nothing, or was refused.
    package mutating func answered(_ kind: Kind, isEmpty: Bool) {
        streaks[kind, default: Streak()].emptyAnswers =
            isEmpty ? min(streaks[kind, default: Streak()].emptyAnswers + 1, 10) : 0
    }

    package mutating func refused(_ refused: BesideManner) {
        guard refused == manner else { return }
        manner = manner == .ownFunction ? .schemaFunction : .never
    }
}
