import CLibPQ
package import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One connection to a server.
///
/// Statements of several tasks run one after the other, in the order they came. A connection that is in
/// doubt (a statement that did not end in time, a broken protocol) closes itself and is not usable any more;
/// nothing reconnects it, ``PostgresPool`` replaces it.
package actor PostgresConnection {
    package nonisolated let backendPID: Int32
    /// As in `server_version_num`, for instance 150018.
    package nonisolated let serverVersion: Int

    nonisolated let condition = ConnectionCondition()
    nonisolated let descriptor: Int32
    nonisolated let configuration: PostgresConfiguration
    nonisolated let logger: Logger
    nonisolated let readiness: Readiness
    nonisolated let turnstile: Turnstile

    var handle: ConnectionHandle
    var statements: StatementCache
    var mailbox = NotificationMailbox()

    init(
        _ handle: consuming ConnectionHandle, _ configuration: PostgresConfiguration, _ readiness: Readiness,
        logger: Logger
    ) {
        self.backendPID = handle.backendPID
        self.serverVersion = handle.serverVersion
        self.descriptor = handle.descriptor
        self.configuration = configuration
        self.logger = logger
        self.readiness = readiness
        self.turnstile = Turnstile(readiness)
        self.handle = handle
        self.statements = StatementCache(limit: configuration.preparedStatementLimit)
    }

    /// Connects within ``PostgresConfiguration/connectTimeout``.
    ///
    /// - Throws: `connectionFailed`, with a SQLSTATE when a server answered, `invalidConfiguration`, or
    ///   `cancelled`.
    package static func connect(
        _ configuration: PostgresConfiguration, logger: Logger
    ) async throws -> PostgresConnection {
        try await connect(configuration, logger: logger, until: nil, isCancellable: true)
    }

    static func connect(
        _ configuration: PostgresConfiguration, logger: Logger, until deadline: ContinuousClock.Instant?,
        isCancellable: Bool
    ) async throws -> PostgresConnection {
        let readiness = try Readiness.shared()
        let attempt = try ConnectionAttempt(
            configuration, logger: logger, until: deadline, isCancellable: isCancellable)
        let handle = try await attempt.run(readiness)
        let connection = PostgresConnection(handle, configuration, readiness, logger: logger)
        try await connection.settleDateStyle(isCancellable: isCancellable)
        return connection
    }

    /// Values that come as text are read in the ISO style, whatever the database's default is.
    private func settleDateStyle(isCancellable: Bool) async throws {
        if let style = handle.parameterStatus("DateStyle"), !style.hasPrefix("ISO") {
            try await execute(
                script: "set datestyle to iso", timeout: configuration.connectTimeout,
                isCancellable: isCancellable)
        }
    }

    /// Whether the connection can be given statements, as far as anything has shown.
    package nonisolated var isUsable: Bool { condition.isUsable }

    /// Waits for the statement in flight, then closes the connection.
    ///
    /// Does nothing when it is closed already.
    package func close() async {
        _ = await turnstile.enter(isCancellable: false)
        discard()
        turnstile.leave()
    }

    /// Closes the connection at once: it is in doubt.
    func discard() {
        condition.becameUnusable()
        condition.closesSocket()
        handle.close()
    }

    /// Runs `body` when all earlier users of the connection are done.
    func withTurn<Result>(
        isCancellable: Bool, _ body: (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        guard await turnstile.enter(isCancellable: isCancellable) else {
            throw PostgresError.cancelledBeforeSending("cancelled before the statement was sent")
        }
        defer { turnstile.leave() }
        guard handle.isOpen, !handle.isDoomed else {
            discard()
            throw PostgresError(.connectionLost, "the connection is closed")
        }
        return try await body(self)
    }
}

extension PostgresConnection {
    /// Breaks the connection off under a statement that its caller repeats and that was sent before `instant`; the
    /// statement then fails with `connectionLost`.
    nonisolated func abandonStatement(sentBefore instant: ContinuousClock.Instant) {
        condition.withOpenSocket(unansweredSince: instant) { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
}

/// What others may know of a connection without waiting for it.
final class ConnectionCondition: Sendable {
    private enum Bits {
        static let usable: UInt8 = 1
        static let inTransaction: UInt8 = 2
        static let listening: UInt8 = 4
    }

    private let bits = Atomic<UInt8>(Bits.usable)
    private let socket = Mutex(Socket())

    private struct Socket {
        var isOpen = true
        /// Since when a statement that its caller repeats has been under way.
        var unansweredSince: ContinuousClock.Instant?
    }

    func sends(_ limit: StatementLimit) {
        guard limit.isRepeatable else { return }
        socket.withLock { $0.unansweredSince = .now }
    }

    func isAnswered() { socket.withLock { $0.unansweredSince = nil } }

    func closesSocket() { socket.withLock { $0.isOpen = false } }

    /// Runs `body` when a statement is older than that, while the descriptor is sure to be this connection's.
    func withOpenSocket(unansweredSince instant: ContinuousClock.Instant, _ body: () -> Void) {
        socket.withLock { socket in
            guard socket.isOpen, let since = socket.unansweredSince, since < instant else { return }
            body()
        }
    }

    var isUsable: Bool { bits.load(ordering: .acquiring) & Bits.usable != 0 }

    /// Whether another task can have the connection as if it were new.
    var isClean: Bool { bits.load(ordering: .acquiring) == Bits.usable }

    func becameUnusable() { bits.bitwiseAnd(~Bits.usable, ordering: .acquiringAndReleasing) }
    func startedListening() { bits.bitwiseOr(Bits.listening, ordering: .acquiringAndReleasing) }

    func transaction(isOpen: Bool) {
        if isOpen {
            bits.bitwiseOr(Bits.inTransaction, ordering: .acquiringAndReleasing)
        } else {
            bits.bitwiseAnd(~Bits.inTransaction, ordering: .acquiringAndReleasing)
        }
    }
}
