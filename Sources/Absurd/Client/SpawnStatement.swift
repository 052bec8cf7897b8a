package import LibPQ

/// One call of `absurd_swift.spawn`: the tasks of one queue.
package struct SpawnStatement: Sendable {
    package static let sql = """
        select position, task_id, run_id, attempt, created, sqlstate, message
        from absurd_swift.spawn($1, $2, $3, $4, $5, $6)
        """

    package let queue: String
    package let parameters: [SQLParameter]
    private let names: [String]

    package init(queue: String, requests: [SpawnRequest], identifiers: IdentifierMaker) throws {
        self.queue = queue
        self.names = requests.map(\.taskName)
        self.parameters = [
            .text(queue),
            .uuidArray(requests.map { _ in identifiers.next() }),
            .uuidArray(requests.map { _ in identifiers.next() }),
            .textArray(names),
            .textArray(requests.map(\.params.text)),
            .textArray(try requests.map { try $0.options.encoded().text }),
        ]
    }

    package var count: Int { names.count }

    package var spanName: String { names.count == 1 ? names[0] : "\(names.count) tasks" }

    /// - Throws: ``AbsurdError`` with the code `rejected` for the first refused task. The caller's transaction, if
    ///   any, still holds the others.
    package func decode(_ rows: SQLRows) throws -> [SpawnedTask] {
        guard rows.count == names.count else { throw Self.wrongAnswer }
        return try rows.enumerated().map { index, row in
            if let sqlState = try row.decode("sqlstate", as: String?.self) {
                let message = try row.decode("message", as: String?.self)
                let place = names.count == 1 ? "" : " (request \(index))"
                throw AbsurdError(
                    .rejected,
                    "task '\(names[index])'\(place) was refused: \(message ?? "SQLSTATE \(sqlState)")",
                    sqlState: sqlState, serverMessage: message)
            }
            return SpawnedTask(
                taskID: TaskID(try row.decode("task_id")), runID: RunID(try row.decode("run_id")),
                attempt: Int(try row.decode("attempt", as: Int32.self)), wasCreated: try row.decode("created")
            )
        }
    }

    package static var wrongAnswer: AbsurdError {
        AbsurdError(
            .schemaOutdated, "the database's functions do not fit this program; run 'absurd migrate'")
    }
}

package struct SpawnedTask: Sendable {
    package let taskID: TaskID
    package let runID: RunID
    package let attempt: Int
    package let wasCreated: Bool

    package func handle<Output: Sendable>(
        client: AbsurdClient, queue: String, output: OutputCodec<Output>
    ) -> TaskHandle<Output> {
        TaskHandle(
            client: client, queue: queue, taskID: taskID, runID: runID, attempt: attempt,
            wasCreated: wasCreated,
            output: output)
    }
}
