import CLibPQ

extension PostgresError {
    /// Reads the report of a result with an error.
    init(code: Code, report: OpaquePointer) {
        func field(_ code: Int32) -> String? {
            guard let text = unsafe PQresultErrorField(report, code) else { return nil }
            return unsafe String(cString: text)
        }
        let sqlState = field(clibpq_diag_sqlstate)
        self.code = code
        self.sqlState = sqlState
        self.message = field(clibpq_diag_message_primary) ?? "the server reported an error without a message"
        let sourceFunction = field(clibpq_diag_source_function)
        self.messageIsSafe = Self.isSafe(sqlState: sqlState, sourceFunction: sourceFunction)
        self.refusesCachedPlan =
            sqlState == SQLState.featureNotSupported && sourceFunction == "RevalidateCachedQuery"
        self.severity = field(clibpq_diag_severity)
        self.detail = field(clibpq_diag_message_detail)
        self.hint = field(clibpq_diag_message_hint)
        self.context = field(clibpq_diag_context)
        self.schema = field(clibpq_diag_schema_name)
        self.table = field(clibpq_diag_table_name)
        self.column = field(clibpq_diag_column_name)
        self.constraint = field(clibpq_diag_constraint_name)
    }

    /// SQLSTATE classes whose primary messages name objects and conditions but never values.
    ///
    /// Class 22, for instance, is not one of them: "invalid input syntax for type integer: …" quotes
    /// the value. (The values of a violated constraint are in the detail, not in the message.)
    private static let safeClasses: Set<Substring> = [
        "08", "0A", "21", "23", "25", "26", "28", "2D", "34", "3D", "3F", "40", "42", "53", "54", "55", "57",
        "58",
    ]

    /// Whether the server itself wrote the message, about a condition that quotes no values.
    ///
    /// A PL/pgSQL `raise` can carry any text under any SQLSTATE; the name of the reporting C function
    /// gives it away and, unlike the context, is never translated.
    static func isSafe(sqlState: String?, sourceFunction: String?) -> Bool {
        guard let sqlState, sqlState.utf8.count == 5, sourceFunction != "exec_stmt_raise" else {
            return false
        }
        return safeClasses.contains(sqlState.prefix(2))
    }
}

extension PostgresError {
    /// Whether the same call may succeed later without anybody changing anything.
    ///
    /// A refused password or a missing database is not that; a server that is starting, full or
    /// unreachable is.
    package var isTransientConnectionFailure: Bool {
        guard code == .connectionFailed || code == .timedOut || code == .connectionLost else { return false }
        guard let sqlState else { return true }
        return !sqlState.hasPrefix("28") && !sqlState.hasPrefix("3D") && !sqlState.hasPrefix("42")
    }
}
