import CLibPQ

/// Owns one `PGresult`; cleared when the last row of it is gone.
///
/// `@unchecked Sendable`: libpq never writes to a result once it has been handed out, and reading one from
/// several threads is allowed.
@safe final class SQLResult: @unchecked Sendable {
    private let pointer: OpaquePointer
    let columns: SQLColumns
    let rowCount: Int

    /// - Parameter columns: those of the prepared statement, so that they are read once per statement and
    ///   not once per result.
    init(adopting pointer: OpaquePointer, columns: SQLColumns? = nil) {
        unsafe self.pointer = unsafe pointer
        self.rowCount = Int(unsafe PQntuples(pointer))
        self.columns = columns ?? (unsafe SQLColumns(of: pointer))
    }

    deinit {
        unsafe PQclear(pointer)
    }

    var status: ExecStatusType { unsafe PQresultStatus(pointer) }

    /// The command tag, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String { unsafe String(cString: PQcmdStatus(pointer)) }

    var affectedRows: Int {
        unsafe Int(String(cString: PQcmdTuples(pointer))) ?? 0
    }

    func error(_ code: PostgresError.Code) -> PostgresError {
        unsafe PostgresError(code: code, report: pointer)
    }

    func isNull(row: Int, column: Int) -> Bool {
        unsafe PQgetisnull(pointer, Int32(row), Int32(column)) == 1
    }

    /// Lends the bytes of one value; nil is SQL NULL.
    func withBytes<Result>(
        row: Int, column: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result? {
        if isNull(row: row, column: column) { return nil }
        let (row, column) = (Int32(row), Int32(column))
        let start = unsafe PQgetvalue(pointer, row, column)
        let length = unsafe PQgetlength(pointer, row, column)
        return try unsafe body(UnsafeRawBufferPointer(start: start, count: Int(length)))
    }
}

/// Names, types and format of a result's columns.
final class SQLColumns: Sendable {
    let names: [String]
    let types: [UInt32]
    let isBinary: Bool
    private let indexes: [String: Int]

    init(names: [String], types: [UInt32], isBinary: Bool) {
        self.names = names
        self.types = types
        self.isBinary = isBinary
        // Of two columns with one name the first is found, as in libpq.
        indexes = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    convenience init(of result: OpaquePointer) {
        let range = 0..<(unsafe PQnfields(result))
        let names = range.map { column in
            guard let name = unsafe PQfname(result, column) else { return "" }
            return unsafe String(cString: name)
        }
        self.init(
            names: names,
            types: range.map { unsafe PQftype(result, $0) },
            isBinary: range.first.map { unsafe PQfformat(result, $0) == 1 } ?? false)
    }

    /// What the results of a statement with this description are going to be.
    convenience init(describing description: SQLColumns) {
        self.init(
            names: description.names, types: description.types,
            isBinary: description.types.allSatisfy(SQLType.binaryReadable.contains))
    }

    func index(of name: String) -> Int? { indexes[name] }
}
