package import LibPQ
package import Logging
import Synchronization

/// The one connection of a client that listens for notifications.
///
/// Beside the pool, and only while somebody lends ``loop`` a task. Without it everything goes on by asking, later.
package final class Listener: Sendable {
    package typealias Handler = @Sendable (_ payload: String) -> Void

    /// A connection that listens, for as long as it lasts.
    package struct Session: Sendable {
        package let connection: PostgresConnection
        /// Differs from one connection to the next.
        package let number: Int
    }

    private struct State {
        var session: Session?
        var lastNumber = 0
        var channels: Set<String> = []
        var handlers: [String: Handler] = [:]
        var observers: [@Sendable () -> Void] = []
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let state = Mutex(State())
    package init(configuration: PostgresConfiguration, logger: Logger) {
        var configuration = configuration
        // Bounds what a silent network can hold up; the statements on this connection are short.
        configuration.statementTimeout = min(configuration.statementTimeout, .seconds(5))
        self.configuration = configuration
        self.logger = logger
    }

    /// The connection, if there is one now.
    package var session: Session? { state.withLock(\.session) }

    /// Has notifications of a channel given to `handler`, which must not block.
    ///
    /// Nothing comes before ``listen(to:in:)``.
    package func handle(_ channel: String, _ handler: @escaping Handler) {
        state.withLock { $0.handlers[channel] = handler }
    }

    /// Has `observer` called when the connection has come or gone; it must not block.
    package func observe(_ observer: @escaping @Sendable () -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    private func announceChange() {
        for observer in state.withLock(\.observers) { observer() }
    }

    /// Starts to listen to a channel, unless this connection does already.
    ///
    /// The cancellation of the calling task changes nothing: it only lends itself to everybody who needs the
    /// connection.
    package func listen(to channel: String, in session: Session) async throws {
        let isNew = state.withLock { $0.session?.number == session.number && !$0.channels.contains(channel) }
        guard isNew else { return }
        try await session.connection.listen(to: channel, isCancellable: false)
        state.withLock { state in
            if state.session?.number == session.number { state.channels.insert(channel) }
        }
    }

    /// Connects, passes notifications on, and connects again when the connection is lost; until cancelled.
    package func run() async {
        var backoff = Backoff(base: .milliseconds(50), cap: .seconds(2))
        while !Task.isCancelled {
            do {
                let session = try await currentSession()
                backoff.reset()
                for await notification in session.connection.notifications {
                    let handler = state.withLock { $0.handlers[notification.channel] }
                    handler?(notification.payload)
                }
                guard !Task.isCancelled else { return }
                await abandon(session)
            } catch {
                guard !Task.isCancelled else { return }
                logger.debug("no connection to listen on", metadata: ["error": "\(error)"])
            }
            // Cancelled when the last who needs it has gone.
            try? await Task.sleep(for: backoff.next())
        }
    }

    private func currentSession() async throws -> Session {
        if let session { return session }
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        let session = state.withLock { state in
            state.lastNumber += 1
            let session = Session(connection: connection, number: state.lastNumber)
            state.session = session
            state.channels = []
            return session
        }
        announceChange()
        return session
    }

    /// Puts a connection away that is of no use any more, and closes it.
    ///
    /// Closed it has to be: only its end makes ``run()`` connect again, and on the server it may hold locks by which
    /// others take it for somebody who looks for work.
    package func abandon(_ session: Session) async {
        let wasCurrent = state.withLock { state in
            guard state.session?.number == session.number else { return false }
            state.session = nil
            state.channels = []
            return true
        }
        if wasCurrent { announceChange() }
        await session.connection.close()
    }

    package func close() async {
        guard let session else { return }
        await abandon(session)
    }
}
