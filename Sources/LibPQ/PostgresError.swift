/// A failure of the connection, of the pool or of a statement.
///
/// Branch on ``code`` and ``sqlState``, never on text. ``description`` is safe to log and to show: it
/// leaves out whatever can quote stored data. `debugDescription` has everything the server said.
/// Neither ever contains a password.
package struct PostgresError: Error, Sendable {
    /// What went wrong, for code that branches on it.
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case connectionFailed, connectionLost, server, timedOut, cancelled, poolTimedOut, poolClosed
            case commitUnknown, transactionFailed, decoding, invalidParameter, invalidConfiguration
            case unsupported, passwordMissing
        }
        private let kind: Kind

        /// No connection could be made; nothing was sent in this attempt.
        package static let connectionFailed = Code(kind: .connectionFailed)
        /// The server asks for a password and there is none; nothing was sent.
        package static let passwordMissing = Code(kind: .passwordMissing)
        /// The connection went away; the statement may or may not have taken effect.
        package static let connectionLost = Code(kind: .connectionLost)
        /// The server refused the statement; `sqlState` says why.
        package static let server = Code(kind: .server)
        /// The deadline passed.
        ///
        /// With SQLSTATE 57014 the server has cancelled the statement, which then had no effect. Without
        /// one the server did not answer in time, the connection was closed and the outcome is unknown.
        package static let timedOut = Code(kind: .timedOut)
        /// The calling task was cancelled; what became of the statement is as with ``timedOut``.
        ///
        /// Also without a SQLSTATE, and without effect, when nothing had been sent yet.
        package static let cancelled = Code(kind: .cancelled)
        /// No connection of the pool became free in time.
        package static let poolTimedOut = Code(kind: .poolTimedOut)
        /// The pool has been closed.
        package static let poolClosed = Code(kind: .poolClosed)
        /// A COMMIT was sent and its answer never came: the transaction may or may not be committed.
        package static let commitUnknown = Code(kind: .commitUnknown)
        /// A transaction could not start, or the server answered its COMMIT with a rollback.
        package static let transactionFailed = Code(kind: .transactionFailed)
        /// A value of the result is not what the caller asked for.
        package static let decoding = Code(kind: .decoding)
        /// A parameter cannot be sent; nothing was sent.
        package static let invalidParameter = Code(kind: .invalidParameter)
        /// The connection string cannot be used.
        package static let invalidConfiguration = Code(kind: .invalidConfiguration)
        /// The statement needs a protocol this client does not speak (COPY).
        package static let unsupported = Code(kind: .unsupported)

        package var description: String { kind.rawValue }
    }

    package var code: Code

    /// The five-character SQLSTATE, when the server sent one.
    package var sqlState: String?

    /// What happened, in the words of the server, of libpq or of this client.
    ///
    /// Can quote stored data when it came from the server; see ``description`` for what is shown.
    package var message: String

    /// Whether `message` may appear in `description`.
    package var messageIsSafe: Bool

    /// Whether it is known that nothing was sent.
    package private(set) var isBeforeSending = false

    /// Whether the server found that a prepared statement no longer returns what it did.
    var refusesCachedPlan = false

    package var severity: String?
    package var detail: String?
    package var hint: String?
    package var context: String?
    package var schema: String?
    package var table: String?
    package var column: String?
    package var constraint: String?

    /// Where a connection was refused, as far as showing it gives no password away.
    package var target: ConnectionTarget?
    /// What of the connection's settings is at fault, where that can be told.
    package var fault: ConnectionFault?

    /// The failure behind this one, such as the last refused connection behind a pool timeout.
    package var underlying: (any Error)?

    /// An error of the client itself; `message` must not quote stored data.
    package init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.messageIsSafe = true
        self.underlying = underlying
    }

    /// The calling task was cancelled before anything was sent.
    static func cancelledBeforeSending(_ message: String) -> PostgresError {
        var error = PostgresError(.cancelled, message)
        error.isBeforeSending = true
        return error
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Code, SQLSTATE and a message without stored data.
    package var description: String {
        var text = "PostgresError.\(code)"
        if let sqlState { text += " [\(sqlState)]" }
        text +=
            messageIsSafe ? ": \(message)" : ": the server's message is withheld, it can quote stored data"
        if let underlying { text += " (\(underlying))" }
        return text
    }

    /// Everything known, stored data included.
    package var debugDescription: String {
        var text = "PostgresError.\(code)"
        if let sqlState { text += " [\(sqlState)]" }
        text += ": \(message)"
        let fields: [(String, String?)] = [
            ("severity", severity), ("detail", detail), ("hint", hint), ("schema", schema), ("table", table),
            ("column", column), ("constraint", constraint), ("context", context),
        ]
        for (name, value) in fields {
            if let value { text += "\n  \(name): \(value)" }
        }
        if let underlying { text += "\n  underlying: \(String(reflecting: underlying))" }
        return text
    }
}
