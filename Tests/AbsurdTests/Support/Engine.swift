import Absurd
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

/// A client and a pool on the test's database, running while `body` does.
struct Engine: Sendable {
    let client: AbsurdClient
    let pool: WorkerPool
    let queue: String

    func rows(_ sql: String, _ parameters: [SQLParameter] = []) async throws -> SQLRows {
        try await client.pool.query(sql, parameters)
    }

    /// One value of the newest run of a task.
    func run<Value: SQLDecodable>(_ column: String, of task: TaskID, as: Value.Type = Value.self) async throws
        -> Value
    {
        let rows = try await rows(
            #"select \#(column) as value from absurd."r_\#(queue)" where task_id = $1 order by attempt desc limit 1"#,
            [.uuid(task.uuid)])
        return try rows[0].decode("value")
    }

    /// Returns once the newest run of the task is in that state.
    func waitUntil(_ task: TaskID, is state: TaskState) async throws {
        try await eventually("task \(task) is \(state.rawValue)") {
            try await self.run("state", of: task, as: String.self) == state.rawValue
        }
    }
}

extension AbsurdConfiguration {
    /// The documented settings behind a pooler in transaction mode.
    mutating func usePooler(_ connectionString: String) {
        self.connectionString = connectionString
        listens = false
        preparesStatements = false
    }
}

/// Makes a client for the test's database, through a pooler when `ABSURD_TEST_POOLER` asks for that.
func makeClient(
    hooks: Hooks = Hooks(), logger: Logger = .quiet, _ change: (inout AbsurdConfiguration) -> Void = { _ in }
) throws -> AbsurdClient {
    var configuration = AbsurdConfiguration(TestDatabase.current.connectionString)
    if let pooled = TestDatabase.current.pooledConnectionString { configuration.usePooler(pooled) }
    configuration.maxConnections = 6
    configuration.statementTimeout = .seconds(300)
    change(&configuration)
    return try AbsurdClient(configuration, hooks: hooks, logger: logger)
}

/// Options for tests: quick polling, short grace.
func testOptions(_ change: (inout WorkerOptions) -> Void = { _ in }) -> WorkerOptions {
    var options = WorkerOptions()
    options.pollInterval = .milliseconds(10)
    options.shutdownGrace = .zero
    change(&options)
    return options
}

/// Runs a pool with these handlers beside `body`, and stops it afterwards.
func withEngine(
    _ handlers: [Handler], queue: String = "default", hooks: Hooks = Hooks(),
    options: WorkerOptions = testOptions(),
    logger: Logger = .quiet, configuration: (inout AbsurdConfiguration) -> Void = { _ in },
    _ body: @Sendable @escaping (Engine) async throws -> Void
) async throws {
    let client = try makeClient(hooks: hooks, logger: logger, configuration)
    do {
        try await client.createQueue(queue)
        let pool = try WorkerPool(client, queue: queue, handlers: handlers, options: options)
        let engine = Engine(client: client, pool: pool, queue: queue)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            group.addTask { try await body(engine) }
            // The pool goes on until it is cancelled, so the first to end is the body, or a pool that failed.
            try await group.next()
            group.cancelAll()
        }
        await client.close()
    } catch {
        await client.close()
        throw error
    }
}
