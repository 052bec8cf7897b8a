package import LibPQ

/// One call of `absurd_swift.spawn`: tasks of one queue.
package struct SpawnStatement: Sendable {
    package static let sql = """
        select task_id, run_id, attempt, created, sqlstate, message
        from absurd_swift.spawn($1, $2, $3, $4, $5, $6) order by position
        """

    package let parameters: [SQLParameter]
    private let count: Int

    package init(queue: String, rows: [SpawnRow]) {
        count = rows.count
        parameters = [
            .text(queue), .uuidArray(rows.map(\.taskID)), .uuidArray(rows.map(\.runID)),
            .textArray(rows.map(\.taskName)), .textArray(rows.map(\.params.text)),
            .textArray(rows.map(\.options.text)),
        ]
    }

    package func decode(_ rows: SQLRows) throws -> [SpawnAnswer] {
        guard rows.count == count else { throw Self.wrongAnswer }
        return try rows.map(SpawnAnswer.init)
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
