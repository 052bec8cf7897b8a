package import LibPQ
import Synchronization

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// Makes UUIDv7 identifiers by the database's clock.
///
/// A spawn whose connection was lost is sent again with the same identifiers, so it cannot make two tasks. The
/// time inside an identifier decides its place in a partitioned queue, hence the database's clock.
package final class IdentifierMaker: Sendable {
    private struct Offset {
        /// The database's time minus this machine's.
        var microseconds: Int64
        var measured: ContinuousClock.Instant
    }
    private let offset = Mutex<Offset?>(nil)
    private let random = Mutex(RandomWords())

    package init() {}

    /// Whether the two clocks should be compared (again).
    package var needsClock: Bool {
        offset.withLock { offset in
            guard let offset else { return true }
            return ContinuousClock.now - offset.measured > .minutes(10)
        }
    }

    package func setClock(databaseNow: PostgresTimestamp) {
        let local = PostgresTimestamp(Date())
        offset.withLock {
            $0 = Offset(microseconds: databaseNow.microseconds - local.microseconds, measured: .now)
        }
    }

    package func next() -> UUID {
        let offset = offset.withLock { $0?.microseconds ?? 0 }
        let now = PostgresTimestamp(Date()).microseconds + offset
        let (first, second) = random.withLock { ($0.next(), $0.next()) }
        return Self.uuid(milliseconds: now / 1000 + Self.unixEpoch, first, second)
    }

    /// Milliseconds from the Unix epoch to Postgres' own, 2000-01-01.
    private static let unixEpoch: Int64 = 946_684_800_000

    /// RFC 9562, section 5.7: 48 bits of milliseconds, the version, the variant, and 74 random bits.
    private static func uuid(milliseconds: Int64, _ first: UInt64, _ second: UInt64) -> UUID {
        let high = UInt64(bitPattern: milliseconds) << 16 | 0x7000 | first & 0x0fff
        let low = second >> 2 | 0x8000_0000_0000_0000
        func byte(_ word: UInt64, _ index: UInt64) -> UInt8 {
            UInt8(truncatingIfNeeded: word >> (56 - 8 * index))
        }
        return UUID(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3),
                byte(high, 4), byte(high, 5), byte(high, 6), byte(high, 7),
                byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3),
                byte(low, 4), byte(low, 5), byte(low, 6), byte(low, 7)
            ))
    }
}
