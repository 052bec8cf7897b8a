package import LibPQ

extension AbsurdError {
    /// The error of a statement, in the terms of the user who made the call.
    ///
    /// - Parameter queue: The queue that the call named; a missing table means that it does not exist.
    package init(_ error: PostgresError, queue: String? = nil) {
        self = Self.known(error, queue: queue) ?? Self.unknown(error)
    }

    private static func known(_ error: PostgresError, queue: String?) -> AbsurdError? {
        func make(_ code: Code, _ message: String) -> AbsurdError {
            AbsurdError(code, message, sqlState: error.sqlState, serverMessage: error.message)
        }
        switch error.sqlState {
        case "42P01" where queue != nil:
            return .queueMissing(queue ?? "", sqlState: error.sqlState, serverMessage: error.message)
        case "3F000", "42P01":
            return make(.schemaMissing, "the database has no schema for workflows yet; run 'absurd migrate'")
        case "42883":
            return make(
                .schemaOutdated, "the database's schema is older than this program; run 'absurd migrate'")
        case "28P01", "28000":
            return make(
                .authenticationFailed, "the database refused the user or the password; \(accountRemedy())")
        case "3D000": return make(.databaseMissing, databaseMissing(error.target))
        case "42501":
            return make(
                .privilegeMissing,
                "the database role may not do this; connect as the owner of the schema or ask it for a grant")
        case "55P03", "40P01":
            return make(
                .timedOut,
                "another transaction holds a row or key that the call needs; call again when it has ended")
        case "AB001": return make(.taskCancelled, "the task was cancelled")
        case "AB002": return make(.runFailed, "the run has failed already")
        case "P0001", "AB003":
            // Raised by the schema's own functions, whose messages name the argument, the queue and the ids.
            return make(.rejected, error.message)
        case let state? where state.hasPrefix("22") || state == "54000" || state == "54001":
            return .refused(sqlState: state, serverMessage: error.message)
        default: return nil
        }
    }

    /// A value that the database refused.
    ///
    /// The server's own words quote the value, so they are not shown.
    package static func refused(sqlState: String?, serverMessage: String?) -> AbsurdError {
        let reason =
            switch sqlState {
            case "22003": ": a number is beyond the range of its type"
            case "22007", "22008", "22015": ": a date or an interval is malformed or out of range"
            case "22P02": ": it does not have the form of its type"
            case "22P05":
                ": text holds a character that the database cannot store, such as NUL (\\u0000); leave it out"
            case "54000", "54001": ": it is too large or nested too deeply"
            default: ""
            }
        return AbsurdError(
            .rejected, "the database refused a value" + (sqlState.map { " (SQLSTATE \($0))" } ?? "") + reason,
            sqlState: sqlState, serverMessage: serverMessage)
    }

    private static func unknown(_ error: PostgresError) -> AbsurdError {
        func make(_ code: Code, _ message: String) -> AbsurdError {
            AbsurdError(code, message, sqlState: error.sqlState, serverMessage: error.message)
        }
        switch error.code {
        case .poolTimedOut where error.underlying == nil:
            return make(
                .connectionFailed,
                "\(error.message); raise maxConnections, or hold connections for a shorter time")
        case .connectionFailed, .poolTimedOut:
            let cause = (error.underlying as? PostgresError) ?? error
            return make(
                .connectionFailed,
                "no connection to the database (\(cause.firstLines)); \(connectionRemedy(cause.fault))")
        case .passwordMissing:
            return make(
                .authenticationFailed,
                "the database wants a password and there is none; set PGPASSWORD, or write it into "
                    + "ABSURD_DATABASE_URL as \(urlForm)")
        case .invalidConfiguration:
            return make(.invalidConfiguration, "\(error.firstLines); \(formRemedy(error.fault))")
        case .connectionLost, .commitUnknown:
            return make(
                .connectionLost,
                "the connection to the database was lost during the call; it may have taken effect")
        case .timedOut: return make(.timedOut, "the database did not answer in time")
        case .invalidParameter: return make(.invalidArgument, error.description)
        default: return make(.database, error.description)
        }
    }

    package static func queueMissing(
        _ queue: String, sqlState: String? = nil, serverMessage: String? = nil
    ) -> AbsurdError {
        AbsurdError(
            .queueMissing,
            "queue '\(queue)' does not exist; create it with createQueue(\"\(queue)\") or: "
                + "absurd queue create \(shellWord(queue))", sqlState: sqlState, serverMessage: serverMessage)
    }

    package static func notEnded(_ task: TaskID, _ state: TaskState?) -> AbsurdError {
        let found = state.map { "; it is \($0.rawValue) and goes on" } ?? ""
        return AbsurdError(.timedOut, "task \(task) has not ended in time\(found)")
    }

    package static func taskMissing(_ task: TaskID, _ queue: String) -> AbsurdError {
        AbsurdError(.taskMissing, "queue '\(queue)' has no task \(task)")
    }
}

/// The text as one word of a shell, for commands that are shown to be typed.
package func shellWord(_ text: String) -> String {
    // After `--`, a word that starts like an option is none.
    (text.hasPrefix("-") ? "-- " : "") + quotedForShell(text)
}

/// The text as a word that may look like an option, as the value of one.
package func quotedForShell(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        byte >= 128 || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || "_-.:/@+,".utf8.contains(byte)
    }
    guard !isPlain || text.isEmpty else { return text }
    return "'"
        + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
}

extension PostgresError {
    /// libpq's message in one line, without its questions to the user, which it indents.
    ///
    /// One part for each host.
    fileprivate var firstLines: String {
        message.split(separator: "\n").filter { $0.first?.isWhitespace == false }.joined(separator: "; ")
    }

    /// Whether the same statement can succeed when it is sent again, because the fault was not its own.
    ///
    /// Connection trouble, a server that starts, stops, is full or read-only, and serialization failures.
    package var isTransient: Bool {
        switch code {
        case .connectionFailed, .connectionLost, .timedOut, .poolTimedOut: return true
        case .cancelled: return false
        default: break
        }
        return sqlState.map(Self.isTransient) ?? false
    }

    fileprivate static func isTransient(_ sqlState: String) -> Bool {
        switch sqlState {
        case "25006", "40001", "40P01", "55P03", "57014": true
        default: ["08", "53", "57", "58"].contains(String(sqlState.prefix(2)))
        }
    }

    /// Whether the server is there and has cancelled the statement, for its own time limit or the client's.
    package var tookTooLong: Bool { sqlState == "57014" && code != .cancelled }

    /// Whether the statement met a lock that somebody else held too long.
    package var isLockConflict: Bool { sqlState == "55P03" || sqlState == "40P01" }
}

extension AbsurdError {
    /// Whether waiting may help: the database is out of reach or has no room, rather than not what it should be.
    package var isTemporary: Bool {
        [.connectionFailed, .connectionLost, .timedOut].contains(code)
            || sqlState.map(PostgresError.isTransient) ?? false
    }
}
