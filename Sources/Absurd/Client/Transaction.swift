package import LibPQ

/// A database transaction in which tasks are spawned and events emitted together with rows of one's own.
///
/// Lent by ``AbsurdClient/withTransaction(_:)``; of no use outside of its closure.
public struct Transaction: Sendable {
    package let connection: PostgresConnection
    package let client: AbsurdClient
}

extension AbsurdClient {
    /// Runs `body` in a transaction: all of it happens, or nothing.
    ///
    /// Committed when `body` returns, rolled back when it throws. Holds one connection meanwhile, so keep it short. One of
    /// ``AbsurdConfiguration/maxConnections`` is left to workers and other calls, so one transaction less than that is
    /// open at a time, though at least one. Others wait for their turn, for at most 30 seconds; one within another needs
    /// a connection more.
    ///
    /// - Throws: What `body` throws; ``AbsurdError``, with the codes `connectionFailed` when no connection was to be had,
    ///   and `connectionLost` when it is unknown whether the commit took effect.
    @discardableResult
    public func withTransaction<Result>(_ body: (Transaction) async throws -> Result) async throws -> Result {
        try await translatingErrors {
            try await pool.withTransactionOfCaller { connection in
                try await body(Transaction(connection: connection, client: self))
            }
        }
    }
}

extension Transaction {
    /// Executes one statement with bound values and returns the number of rows that it touched.
    ///
    /// - Throws: ``AbsurdError``; the transaction can only be rolled back then.
    @discardableResult
    public func execute(_ sql: String, _ values: (any SQLBindable)...) async throws -> Int {
        try await translatingErrors {
            try await connection.query(sql, values.map(\.sqlValue.parameter)).affectedRows
        }
    }

    /// Spawns a task of a kind when the transaction commits.
    ///
    /// While another open transaction has spawned with the same idempotency key it waits, for at most 200 ms.
    ///
    /// - Throws: ``AbsurdError`` with the codes `unencodable` and `invalidArgument`, before anything is sent; `rejected`;
    ///   `queueMissing`, `timedOut` (the key is still locked) and those of the connection, after which the transaction
    ///   can only be rolled back.
    @discardableResult
    public func spawn<Input: Sendable, Output: Sendable>(
        _ kind: TaskKind<Input, Output>, _ input: Input, idempotencyKey: String? = nil,
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<Output> {
        var options = options
        options.idempotencyKey = idempotencyKey ?? options.idempotencyKey
        return try await spawn(SpawnRequest(kind, input, options: options), output: kind.output)
    }

    /// Spawns a task of a kind without input when the transaction commits.
    ///
    /// - Throws: As ``spawn(_:_:idempotencyKey:options:)``.
    @discardableResult
    public func spawn<Output: Sendable>(
        _ kind: TaskKind<Void, Output>, idempotencyKey: String? = nil, options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<Output> {
        try await spawn(kind, (), idempotencyKey: idempotencyKey, options: options)
    }

    /// Spawns a task by name when the transaction commits.
    ///
    /// - Throws: As ``spawn(_:_:idempotencyKey:options:)``.
    @discardableResult
    public func spawn(
        _ taskName: String, params: JSONValue, on queue: String = "default",
        options: SpawnOptions = SpawnOptions()
    ) async throws -> TaskHandle<JSONValue> {
        try await spawn(SpawnRequest(taskName, params: params, on: queue, options: options), output: .codable)
    }

    private func spawn<Output: Sendable>(
        _ request: SpawnRequest, output: OutputCodec<Output>
    ) async throws -> TaskHandle<Output> {
        let request = try await client.prepare(request)
        return try await client.spanning([request]) { requests in
            if client.identifiers.needsClock { try await readClock() }
            let row = try SpawnRow(requests[0], client.identifiers)
            let statement = SpawnStatement(queue: request.queue, rows: [row])
            let rows = try await translatingErrors(queue: request.queue) {
                try await connection.query(statement.sql, statement.parameters)
            }
            guard let answer = try statement.decode(rows).first else { throw SpawnStatement.wrongAnswer }
            return try answer.task(named: row.taskName)
                .handle(client: client, queue: request.queue, output: output)
        }
    }

    /// On this connection: the pool may have no other to lend.
    private func readClock() async throws {
        let rows = try await translatingErrors {
            try await connection.query("select absurd.current_time() as now")
        }
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        client.identifiers.setClock(databaseNow: try row.decode("now"))
    }

    /// Emits an event when the transaction commits.
    ///
    /// The first emission of a name counts. It waits for at most 200 ms for each lock: on the event, which an open
    /// transaction that emitted it holds, and on the runs that it wakes.
    ///
    /// - Throws: ``AbsurdError`` with the codes `unencodable` and `invalidArgument`, before anything is sent; `rejected`;
    ///   `queueMissing`, `timedOut` (a lock was not to be had) and those of the connection, after which the transaction
    ///   can only be rolled back.
    public func emitEvent(
        _ event: String, _ payload: some Encodable & Sendable, on queue: String = "default"
    ) async throws {
        try validateQueueName(queue)
        try validateEventName(event)
        let text = try encodeDocument(payload, named: "the payload of event '\(event)'")
        let statement = EmitStatement(queue: queue, rows: [EmitRow(event: event, payload: text)])
        let rows = try await translatingErrors(queue: queue) {
            try await connection.query(EmitStatement.sql, statement.parameters)
        }
        try statement.decode(rows).first?.check()
    }
}
