/// A point in time exactly as Postgres stores it.
package struct PostgresTimestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 2000-01-01 00:00:00 UTC; the extreme values stand for the infinities.
    package var microseconds: Int64

    package static let infinity = PostgresTimestamp(microseconds: .max)
    package static let negativeInfinity = PostgresTimestamp(microseconds: .min)

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package var isInfinite: Bool { self == .infinity || self == .negativeInfinity }

    package static func < (left: PostgresTimestamp, right: PostgresTimestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}
