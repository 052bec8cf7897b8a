package import Logging
import ServiceLifecycle
import Synchronization

/// A bounded number of connections, lent to one caller at a time, first come first served, but for those
/// who want one for code of their own and are passed over while that would leave none to others.
///
/// Connections are made on the task of a caller that needs one, so the pool works before and without
/// ``run()``. A connection that is broken, in a transaction or listening when it comes back is closed, and
/// the next caller makes another. After a failed attempt to connect the waiting callers try again one at a
/// time, at growing intervals; the first call after a quiet time tries at once.
package final class PostgresPool: Service, Sendable {
    typealias State = PoolState<PostgresConnection, Readiness.Token>

    let configuration: PostgresConfiguration
    let logger: Logger
    let state: Mutex<State>
    /// The connections that are lent.
    let lent = Mutex<[ObjectIdentifier: PostgresConnection]>([:])

    package init(configuration: PostgresConfiguration, logger: Logger) {
        precondition(configuration.maxConnections > 0, "a pool needs at least one connection")
        self.configuration = configuration
        self.logger = logger
        self.state = Mutex(State(maxConnections: configuration.maxConnections))
    }

    /// Lends a connection to `body`, which only sends statements: it does not run on the threads that the caller prefers.
    ///
    /// - Throws: `poolTimedOut` when none became free within ``PostgresConfiguration/acquireTimeout``, with
    ///   the last failed attempt to connect as `underlying`; `connectionFailed` at once when the server
    ///   refuses the user or the database; `cancelled`; `poolClosed`; and what `body` throws.
    package func withConnection<Result>(
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await onSharedThreads {
            try await withConnection(AcquireManner(timeout: configuration.acquireTimeout), body)
        }
    }

    /// Lends a connection to `body`, which only sends statements, inside a transaction; see
    /// ``PostgresConnection/withTransaction(_:)``.
    package func withTransaction<Result>(
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await withConnection { try await $0.withTransaction(body) }
    }

    /// The same for code that is not the library's: it runs where its caller does, and takes as long as it likes.
    ///
    /// So one connection is left to all others, unless there is only one.
    package func withTransactionOfCaller<Result>(
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let manner = AcquireManner(timeout: configuration.acquireTimeout, term: .long)
        return try await withConnection(manner) { try await $0.withTransaction(body) }
    }

    /// Runs one statement on any connection; see
    /// ``PostgresConnection/query(_:_:timeout:isCancellable:isRepeatable:asksToCancel:)``.
    ///
    /// Unless `isCancellable`, a cancelled task also waits for its connection. With `isRepeatable` the call fails when the
    /// attempt to connect that it makes does, instead of making others until ``PostgresConfiguration/acquireTimeout``.
    ///
    /// - Parameter acquireTimeout: instead of that of the configuration.
    @discardableResult
    package func query(
        _ sql: String, _ parameters: [SQLParameter] = [], timeout: Duration? = nil,
        acquireTimeout: Duration? = nil, isCancellable: Bool = true, isRepeatable: Bool = false,
        asksToCancel: Bool = true
    ) async throws -> SQLRows {
        let manner = AcquireManner(
            timeout: acquireTimeout ?? configuration.acquireTimeout, isCancellable: isCancellable,
            isRepeated: isRepeatable)
        return try await onSharedThreads {
            try await withConnection(manner) {
                try await $0.query(
                    sql, parameters, timeout: timeout, isCancellable: isCancellable,
                    isRepeatable: isRepeatable, asksToCancel: asksToCancel)
            }
        }
    }

    /// How many connections there are and how many callers wait.
    package var counts: (open: Int, idle: Int, inUse: Int, waiting: Int) {
        state.withLock { ($0.open, $0.idle.count, $0.inUse, $0.waiting) }
    }

    /// Since when the first of the waiting callers waits, and why the last attempt to connect failed.
    package var trouble: (waitingSince: ContinuousClock.Instant?, failure: PostgresError?) {
        state.withLock { ($0.waitingSince, $0.lastFailure) }
    }

    /// How long a statement can take at most, the waiting for a connection included, before it fails.
    package var longestAnswer: Duration { configuration.acquireTimeout + configuration.statementTimeout }

    /// Closes idle connections now and lent ones when they come back; waiting and later callers get
    /// `poolClosed`.
    package func close() async {
        let (wake, close) = state.withLock { $0.close() }
        self.wake(wake)
        for connection in close { await connection.close() }
    }

    private func withConnection<Result>(
        _ manner: AcquireManner, _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        // Whoever makes a connection, or comes first in the queue, has others behind it.
        let connection = try await onSharedThreads { try await acquire(manner) }
        let result: Result
        do {
            result = try await body(connection)
        } catch {
            await onSharedThreads { await giveBack(connection, manner.term) }
            throw error
        }
        await onSharedThreads { await giveBack(connection, manner.term) }
        return result
    }
}
