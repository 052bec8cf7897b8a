package import LibPQ

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A value that a statement in a ``Transaction`` can take for `$1`, `$2` and so on.
///
/// It travels beside the statement, never inside its text. Bring a type of your own by naming the bindable value
/// that stands for it.
public protocol SQLBindable: Sendable {
    /// What is sent.
    var sqlValue: SQLValue { get }
}

/// A value as it is sent to the database.
public struct SQLValue: Sendable {
    package let parameter: SQLParameter

    package init(_ parameter: SQLParameter) { self.parameter = parameter }

    /// SQL NULL.
    public static let null = SQLValue(.null)
}

extension String: SQLBindable { public var sqlValue: SQLValue { SQLValue(.text(self)) } }
extension Bool: SQLBindable { public var sqlValue: SQLValue { SQLValue(.bool(self)) } }
extension Int: SQLBindable { public var sqlValue: SQLValue { SQLValue(.int(Int64(self))) } }
extension Int32: SQLBindable { public var sqlValue: SQLValue { SQLValue(.int(Int64(self))) } }
extension Int64: SQLBindable { public var sqlValue: SQLValue { SQLValue(.int(self)) } }
extension Double: SQLBindable { public var sqlValue: SQLValue { SQLValue(.double(self)) } }
extension UUID: SQLBindable { public var sqlValue: SQLValue { SQLValue(.uuid(self)) } }
extension Date: SQLBindable {
    public var sqlValue: SQLValue { SQLValue(.timestamp(PostgresTimestamp(self))) }
}
extension TaskID: SQLBindable { public var sqlValue: SQLValue { SQLValue(.uuid(uuid)) } }
extension RunID: SQLBindable { public var sqlValue: SQLValue { SQLValue(.uuid(uuid)) } }
extension [UInt8]: SQLBindable { public var sqlValue: SQLValue { SQLValue(.bytes(self)) } }

extension Optional: SQLBindable where Wrapped: SQLBindable {
    public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}
