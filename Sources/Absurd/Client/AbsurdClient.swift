package import LibPQ
public import Logging
public import ServiceLifecycle

/// Spawns tasks, emits events and operates queues.
///
/// Shared by a whole process.
///
/// Connections are opened when a call needs them, so the client works before and without ``run()``; add it to a
/// service group all the same, to the left of the pools, so that idle connections are kept healthy and closed at
/// the end. A program that does not run it calls ``close()``, or uses ``withAbsurd(_:logger:_:)``.
///
/// Calls throw ``AbsurdError``. A call that was cancelled throws `CancellationError`.
public final class AbsurdClient: Service, Sendable {
    package let pool: PostgresPool
    /// How long the server executes one statement at most.
    package let statementTimeout: Duration
    package let hooks: Hooks
    package let logger: Logger
    package let identifiers = IdentifierMaker()
    /// The runs whose handlers are executing in this process.
    package let executions = ExecutionRegistry()
    package let wakeUps: WakeUps
    package let registry: WorkerRegistry
    package let registryLoop: SharedLoop
    /// The workers that have runs to give back before the connections may be closed.
    package let debts = Debts()
    package let producer: Producer
    /// What the log says of the database's absences, once for all workers.
    package let outageLines = OutageLines()

    /// - Throws: ``AbsurdError`` with the code `invalidConfiguration`. No connection is made here.
    public init(
        _ configuration: AbsurdConfiguration, hooks: Hooks = Hooks(), logger: Logger = Logger(label: "absurd")
    ) throws {
        let settings = try configuration.postgres()
        let pool = PostgresPool(configuration: settings, logger: logger)
        self.pool = pool
        self.statementTimeout = configuration.statementTimeout
        let wakeUps = WakeUps(
            pool: pool, settings, listens: configuration.listens,
            fallbackInterval: configuration.fallbackInterval, logger: logger)
        self.wakeUps = wakeUps
        let registry = WorkerRegistry(pool: pool, configuration: settings, logger: logger)
        self.registry = registry
        self.registryLoop = SharedLoop(
            body: { await registry.run() }, whenUnused: { await registry.close() })
        self.producer = Producer(pool: pool, reserveSlot: wakeUps.reserveSlot)
        self.hooks = hooks
        self.logger = logger
    }

    /// Keeps idle connections healthy until shut down or cancelled, then closes all.
    ///
    /// When all services of a group are cancelled at once, it first lets the workers of this client give their runs
    /// back, for at most ten seconds.
    public func run() async throws {
        try await pool.run(beforeClosing: { await self.debts.settled(within: .seconds(10)) })
        await wakeUps.listener.close()
    }

    /// Closes all connections.
    ///
    /// Calls after it throw.
    public func close() async {
        await pool.close()
        await wakeUps.listener.close()
    }
}

/// Runs `body` with a client that is closed afterwards.
///
/// For scripts and tools.
@discardableResult
public func withAbsurd<Result>(
    _ configuration: AbsurdConfiguration = .environment(), logger: Logger = Logger(label: "absurd"),
    _ body: (AbsurdClient) async throws -> Result
) async throws -> Result {
    let client = try AbsurdClient(configuration, logger: logger)
    do {
        let result = try await body(client)
        await client.close()
        return result
    } catch {
        await client.close()
        throw error
    }
}

extension AbsurdClient {
    /// Sends one statement and turns its error into one for the user.
    package func query(
        _ sql: String, _ parameters: [SQLParameter] = [], queue: String? = nil
    ) async throws -> SQLRows {
        try await translatingErrors(queue: queue) { try await pool.query(sql, parameters) }
    }
}

package func translatingErrors<Result>(
    queue: String? = nil, _ body: () async throws -> Result
) async throws -> Result {
    do {
        return try await body()
    } catch let error as PostgresError {
        if error.code == .cancelled { throw CancellationError() }
        throw AbsurdError(error, queue: queue)
    }
}
