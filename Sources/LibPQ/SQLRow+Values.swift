#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// ``SQLRow/decode(_:as:)-(Int,_)`` for single types, by position.
///
/// For statements with many rows: a generic function of another module is not specialized, and costs more there than
/// what it does.
extension SQLRow {
    package func text(_ column: Int) throws -> String { try decode(column) }
    package func textOrNull(_ column: Int) throws -> String? { try decode(column) }
    package func uuid(_ column: Int) throws -> UUID { try decode(column) }
    package func int32(_ column: Int) throws -> Int32 { try decode(column) }
    package func int32OrNull(_ column: Int) throws -> Int32? { try decode(column) }
    package func bool(_ column: Int) throws -> Bool { try decode(column) }
    package func timestamp(_ column: Int) throws -> PostgresTimestamp { try decode(column) }
    package func timestampOrNull(_ column: Int) throws -> PostgresTimestamp? { try decode(column) }
}
