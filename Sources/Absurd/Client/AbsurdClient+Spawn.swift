import LibPQ
import ServiceContextModule
import Tracing

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

    /// Spawns many tasks, of one queue or several, in one transaction for each queue.
    ///
    /// Every queue's tasks are spawned together or not at all, in statements of at most 2,000 tasks and about 8 MB. The
    /// handles are in the order of the requests.
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
        let request = try await prepare(request)
        return try await spanning([request]) { requests in
            if identifiers.needsClock { try await readClock() }
            let row = try SpawnRow(requests[0], identifiers)
            return try await translatingErrors(queue: request.queue) {
                let task = try await producer.spawn(row, on: request.queue).task(named: row.taskName)
                if !task.isClaimed { wakeUps.spawned(into: request.queue) }
                return task.handle(client: self, queue: request.queue, output: output)
            }
        }
    }

    private func spawn<Output: Sendable>(
        _ requests: [SpawnRequest], output: OutputCodec<Output>
    ) async throws -> [TaskHandle<Output>] {
        var prepared: [SpawnRequest] = []
        prepared.reserveCapacity(requests.count)
        for request in requests { prepared.append(try await prepare(request)) }
        if identifiers.needsClock { try await readClock() }
        var handles = [TaskHandle<Output>?](repeating: nil, count: prepared.count)
        for (queue, positions) in Dictionary(grouping: prepared.indices, by: { prepared[$0].queue }) {
            let spawned = try await spanning(positions.map { prepared[$0] }) { requests in
                try await spawnTogether(requests, positions, on: queue)
            }
            wakeUps.spawned(into: queue)
            for (position, task) in zip(positions, spawned) {
                handles[position] = task.handle(client: self, queue: queue, output: output)
            }
        }
        return handles.compactMap(\.self)
    }

    /// Hook and validation: what needs no database.
    package func prepare(_ request: SpawnRequest) async throws -> SpawnRequest {
        let request = try await hooks.beforeSpawn?(request) ?? request
        try validateQueueName(request.queue)
        try validateTaskName(request.taskName)
        return request
    }

    /// Runs `body` in the span of a spawn, with requests that carry the span's context to the handlers.
    package func spanning<Result>(
        _ requests: [SpawnRequest], _ body: ([SpawnRequest]) async throws -> Result
    ) async throws -> Result {
        let name = requests.count == 1 ? requests[0].taskName : "\(requests.count) tasks"
        return try await withSpan("spawn \(name)", ofKind: .producer) { span in
            span.attributes["absurd.queue"] = requests.first?.queue
            var requests = requests
            for index in requests.indices { TracingHeaders.inject(into: &requests[index].options.headers) }
            return try await body(requests)
        }
    }

    package func readClock() async throws {
        let rows = try await query("select absurd.current_time() as now")
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        identifiers.setClock(databaseNow: try row.decode("now"))
    }

    /// In a transaction, so that one refused task takes the others back; once more when the connection was lost,
    /// which the rows' ids make harmless.
    private func spawnTogether(
        _ requests: [SpawnRequest], _ positions: [Int], on queue: String
    ) async throws -> [SpawnedTask] {
        let rows = try requests.map { try SpawnRow($0, identifiers) }
        let parts = SpawnParts(rows)
        return try await translatingErrors(queue: queue) {
            try await resendingAfterConflict {
                try await pool.withTransaction { connection in
                    var tasks = [SpawnedTask?](repeating: nil, count: rows.count)
                    for part in parts.parts {
                        let statement = SpawnStatement(queue: queue, rows: part.map { rows[$0] })
                        let answers = try statement.decode(
                            try await connection.query(statement.sql, statement.parameters))
                        for (index, answer) in zip(part, answers) {
                            tasks[index] = try answer.task(
                                named: rows[index].taskName,
                                place: rows.count == 1 ? "" : " (request \(positions[index]))")
                        }
                    }
                    return tasks.compactMap(\.self)
                }
            }
        }
    }
}
