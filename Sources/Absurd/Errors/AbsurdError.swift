/// A call that could not be carried out, and what to do about it.
///
/// ``description`` is one line that is safe to show: it names tables, queues and ids, never stored data and
/// never a password. ``debugDescription`` adds what the server said, which may quote stored data.
public struct AbsurdError: Error, Sendable {
    /// What went wrong, for code that branches on it.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case connectionFailed, authenticationFailed, databaseMissing, connectionLost, timedOut
            case invalidConfiguration, invalidArgument, schemaMissing, schemaOutdated, privilegeMissing
            case queueMissing, taskMissing, taskNotFailed, duplicateHandler, undecodable, unencodable
            case rejected, claimLost, taskCancelled, runFailed, restartLimit, database
        }
        private let kind: Kind
        private init(_ kind: Kind) { self.kind = kind }

        /// No server answered at the given address.
        public static let connectionFailed = Code(.connectionFailed)
        /// The server refused the user or the password, or wants a password and there is none.
        public static let authenticationFailed = Code(.authenticationFailed)
        /// The server has no database of that name.
        public static let databaseMissing = Code(.databaseMissing)
        /// The connection went away during the call, which may or may not have taken effect.
        public static let connectionLost = Code(.connectionLost)
        /// The call did not end within its time; what it waited for may still happen.
        ///
        /// With SQLSTATE 55P03 or 40P01 another transaction held a row or key that the call needed, and the call had
        /// no effect.
        public static let timedOut = Code(.timedOut)
        /// A setting cannot be used: the connection string, an environment variable, an option of the client or of
        /// workers, a handler's ``Handler/attemptTimeout``, or a handler whose kind belongs to another queue.
        public static let invalidConfiguration = Code(.invalidConfiguration)
        /// A value that the call does not take; nothing was sent.
        public static let invalidArgument = Code(.invalidArgument)
        /// The database lacks the schema `absurd` or `absurd_swift`.
        public static let schemaMissing = Code(.schemaMissing)
        /// The schema is older or newer than this library.
        public static let schemaOutdated = Code(.schemaOutdated)
        /// The database role may not do this.
        public static let privilegeMissing = Code(.privilegeMissing)
        /// No such queue.
        public static let queueMissing = Code(.queueMissing)
        /// No such task or run.
        public static let taskMissing = Code(.taskMissing)
        /// Only a failed task can be retried.
        public static let taskNotFailed = Code(.taskNotFailed)
        /// Two handlers with the same task name.
        public static let duplicateHandler = Code(.duplicateHandler)
        /// A stored document does not fit the Swift type.
        public static let undecodable = Code(.undecodable)
        /// A Swift value has no JSON form.
        public static let unencodable = Code(.unencodable)
        /// The database refused the value, for example text that `jsonb` cannot hold.
        public static let rejected = Code(.rejected)
        /// The run is held by somebody else now.
        public static let claimLost = Code(.claimLost)
        /// The task was cancelled (SQLSTATE `AB001`).
        public static let taskCancelled = Code(.taskCancelled)
        /// The run was failed elsewhere (SQLSTATE `AB002`).
        public static let runFailed = Code(.runFailed)
        /// The workers of a pool were restarted too often.
        public static let restartLimit = Code(.restartLimit)
        /// Any other error of the server; see ``AbsurdError/sqlState``.
        public static let database = Code(.database)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// What went wrong and what to do, in one line, without stored data.
    public let message: String
    /// The five-character SQLSTATE, when the server sent one.
    public let sqlState: String?
    /// The server's own message, which may quote stored data.
    public let serverMessage: String?

    package init(_ code: Code, _ message: String, sqlState: String? = nil, serverMessage: String? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.serverMessage = serverMessage
    }

    package static func invalidArgument(_ message: String) -> AbsurdError { .init(.invalidArgument, message) }
}

extension AbsurdError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String { message }

    public var debugDescription: String {
        var text = "\(code): \(message)"
        if let sqlState { text += " [SQLSTATE \(sqlState)]" }
        if let serverMessage { text += " server: \(serverMessage)" }
        return text
    }
}
