/// The rows a statement returned, in memory as they came; values are decoded when asked for.
package struct SQLRows: RandomAccessCollection, Sendable {
    let result: SQLResult

    package var startIndex: Int { 0 }
    package var endIndex: Int { result.rowCount }

    package subscript(position: Int) -> SQLRow {
        precondition(indices.contains(position), "row \(position) of \(count)")
        return SQLRow(result: result, row: position)
    }

    /// How many rows the statement inserted, updated, deleted, moved, fetched or selected.
    package var affectedRows: Int { result.affectedRows }

    package var columnNames: [String] { result.columns.names }
}

/// One row; keeps the whole result it belongs to alive.
package struct SQLRow: Sendable {
    let result: SQLResult
    let row: Int

    /// - Throws: `decoding` when there is no such column, when it is NULL and `T` is not optional, or when
    ///   its type is not one that `T` is read from.
    package func decode<T: SQLDecodable>(_ column: String, as type: T.Type = T.self) throws -> T {
        guard let index = result.columns.index(of: column) else {
            throw PostgresError(.decoding, "the result has no column \"\(column)\"")
        }
        return try T(SQLValue(result: result, row: row, column: index))
    }

    /// - Throws: `decoding`, as with a name.
    package func decode<T: SQLDecodable>(_ column: Int, as type: T.Type = T.self) throws -> T {
        guard result.columns.names.indices.contains(column) else {
            throw PostgresError(.decoding, "the result has no column \(column)")
        }
        return try T(SQLValue(result: result, row: row, column: column))
    }
}

/// One value of a result, not decoded yet.
package struct SQLValue: Sendable {
    let result: SQLResult
    let row: Int
    let column: Int

    package var columnName: String { result.columns.names[column] }
    /// The object id of the column's type.
    package var type: UInt32 { result.columns.types[column] }
    package var isBinary: Bool { result.columns.isBinary }
    package var isNull: Bool { result.isNull(row: row, column: column) }

    func withBytes<Result>(
        as wanted: any SQLDecodable.Type, _ body: (UnsafeRawBufferPointer) throws -> Result?
    ) throws -> Result {
        let decoded = try unsafe result.withBytes(row: row, column: column, body)
        guard let decoded else {
            throw PostgresError(.decoding, "column \"\(columnName)\" is NULL where \(wanted) is wanted")
        }
        guard let value = decoded else { throw mismatch(wanted) }
        return value
    }

    /// Names column and types, never the value.
    func mismatch(_ wanted: any SQLDecodable.Type) -> PostgresError {
        PostgresError(.decoding, "column \"\(columnName)\" of type \(type) cannot be read as \(wanted)")
    }
}
