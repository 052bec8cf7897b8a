/// Why a supervisor did not start, or gave up.
public struct SupervisorError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, for code that branches on it.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String { case invalidOption, commandMissing, commandNotExecutable, restartLimit }
        private let kind: Kind
        private init(_ kind: Kind) { self.kind = kind }

        /// An option breaks its rule.
        public static let invalidOption = Code(.invalidOption)
        /// There is no such command.
        public static let commandMissing = Code(.commandMissing)
        /// The file is there and may not be executed.
        public static let commandNotExecutable = Code(.commandNotExecutable)
        /// The children were started again too often.
        public static let restartLimit = Code(.restartLimit)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// What went wrong and what to do, in one line.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
