#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A value bound to `$1`, `$2`, … of a statement.
///
/// Single values travel without a type, so the server takes the one that fits their place: an `int` works
/// for `integer` and `bigint` alike, a `text` for `jsonb` and `interval` too. Where nothing suggests a type
/// (`select $1`), write a cast. Arrays carry their type.
package enum SQLParameter: Sendable {
    case null
    case text(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    case uuid(UUID)
    case timestamp(PostgresTimestamp)
    /// A `bytea`.
    case bytes([UInt8])
    case textArray([String?])
    case uuidArray([UUID])
    /// An `integer[]`; values beyond 32 bits are refused before anything is sent.
    case intArray([Int64?])
    case doubleArray([Double?])
    case boolArray([Bool])
    /// A `timestamptz[]`.
    case timestampArray([PostgresTimestamp?])
}

extension SQLParameter: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(nilLiteral: ()) { self = .null }
}
