import LibPQ
import ServiceContextModule
import Tracing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension AbsurdClient {
    /// Spawns a task of a kind into the kind's queue.
    ///
    /// The task is durable when this returns. A lost connection is covered: the call is sent again and cannot spawn
    /// twice.
    ///
    /// - Throws: ``AbsurdError`` with the codes `queueMissing`, `unencodable`, `invalidArgument`, `rejected` and
    ///   those of the connection.
    @discardableResult
    public func spawn<Input: Sendable, Output: Sendable>(
        _ kind: TaskKind<Input, Output>, _ input: Input, idempotencyKey: String? = nil,
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<Output> {
        var options = options
        options.idempotencyKey = idempotencyKey ?? options.idempotencyKey
        return try await spawn(SpawnRequest(kind, input, options: options), output: kind.output)
    }

    /// Spawns a task of a kind without input.
    @discardableResult
    public func spawn<Output: Sendable>(
        _ kind: TaskKind<Void, Output>, idempotencyKey: String? = nil, options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<Output> {
        try await spawn(kind, (), idempotencyKey: idempotencyKey, options: options)
    }

    /// Spawns a task by name, for kinds that other programs define.
    @discardableResult
    public func spawn(
        _ taskName: String, params: JSONValue, on queue: String = "default",
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<JSONValue> {
        try await spawn(SpawnRequest(taskName, params: params, on: queue, options: options), output: .codable)
    }

    /// Spawns many tasks, of one queue or several, with one statement for each queue.
    ///
    /// Every queue's tasks are spawned together or not at all. The handles are in the order of the requests.
    ///
    /// - Throws: As ``spawn(_:_:idempotencyKey:options:)``; a refused request is named by its position from 0.
    @discardableResult
    public func spawnMany(_ requests: [SpawnRequest]) async throws -> [TaskHandle<JSONValue>] {
        try await spawn(requests, output: .codable)
    }
}

extension AbsurdClient {
    package func spawn<Output: Sendable>(
        _ request: SpawnRequest, output: OutputCodec<Output>
    ) async throws -> TaskHandle<Output> {
        let handles = try await spawn([request], output: output)
        guard let handle = handles.first else { throw SpawnStatement.wrongAnswer }
        return handle
    }

    private func spawn<Output: Sendable>(
        _ requests: [SpawnRequest], output: OutputCodec<Output>
    ) async throws -> [TaskHandle<Output>] {
        let prepared = try await prepare(requests)
        if identifiers.needsClock { try await readClock() }
        var handles = [TaskHandle<Output>?](repeating: nil, count: prepared.count)
        for (queue, positions) in Dictionary(grouping: prepared.indices, by: { prepared[$0].queue }) {
            let statement = try SpawnStatement(
                queue: queue, requests: positions.map { prepared[$0] }, identifiers: identifiers)
            let spawned = try await send(statement)
            for (position, task) in zip(positions, spawned) {
                handles[position] = task.handle(client: self, queue: queue, output: output)
            }
        }
        return handles.compactMap(\.self)
    }

    /// Hooks, tracing headers and validation: everything that needs no database.
    package func prepare(_ requests: [SpawnRequest]) async throws -> [SpawnRequest] {
        var prepared: [SpawnRequest] = []
        prepared.reserveCapacity(requests.count)
        for request in requests {
            var request = try await hooks.beforeSpawn?(request) ?? request
            try validateQueueName(request.queue)
            try validateTaskName(request.taskName)
            TracingHeaders.inject(into: &request.options.headers)
            prepared.append(request)
        }
        return prepared
    }

    package func readClock() async throws {
        let rows = try await query("select absurd.current_time() as now")
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        identifiers.setClock(databaseNow: try row.decode("now"))
    }

    /// Sends the statement, once more when the connection was lost: its identifiers make that harmless.
    private func send(_ statement: SpawnStatement) async throws -> [SpawnedTask] {
        try await withSpan("spawn \(statement.spanName)", ofKind: .producer) { span in
            span.attributes["absurd.queue"] = statement.queue
            return try await translatingErrors(queue: statement.queue) {
                do {
                    return try await execute(statement)
                } catch let error as PostgresError where error.code == .connectionLost {
                    return try await execute(statement)
                }
            }
        }
    }

    /// A statement for several tasks runs in a transaction, so that one refused task takes the others back.
    private func execute(_ statement: SpawnStatement) async throws -> [SpawnedTask] {
        guard statement.count > 1 else {
            return try statement.decode(try await pool.query(SpawnStatement.sql, statement.parameters))
        }
        return try await pool.withTransaction { connection in
            try statement.decode(try await connection.query(SpawnStatement.sql, statement.parameters))
        }
    }
}
