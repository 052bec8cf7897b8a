package import LibPQ

/// One call of `absurd_swift.spawn`, or for several rows of `absurd_swift.spawn_new`: tasks of one queue.
package struct SpawnStatement: Sendable {
    package let parameters: [SQLParameter]
    private let rows: [SpawnRow]

    /// One row has a statement of its own in `spawn`; of several only those are answered that were not made as they
    /// came.
    package var sql: String {
        """
        select position, task_id, run_id, attempt, created, sqlstate, message
        from absurd_swift.\(rows.count == 1 ? "spawn" : "spawn_new")($1, $2, $3, $4, $5, $6)
        """
    }

    package init(queue: String, rows: [SpawnRow]) {
        self.rows = rows
        parameters = [
            .text(queue), .uuidArray(rows.map(\.taskID)), .uuidArray(rows.map(\.runID)),
            .textArray(rows.map(\.taskName)), .textArray(rows.map(\.params.text)),
            .textArray(rows.map(\.options.text)),
        ]
    }

    package func decode(_ answered: SQLRows) throws -> [SpawnAnswer] {
        guard rows.count > 1 || answered.count == rows.count else { throw Self.wrongAnswer }
        var answers = rows.map(SpawnAnswer.init(making:))
        for row in answered {
            let index = Int(try row.decode("position", as: Int32.self)) - 1
            guard answers.indices.contains(index) else { throw Self.wrongAnswer }
            answers[index] = try SpawnAnswer(row)
        }
        return answers
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
    /// Whether a worker of the client's own has it already.
    package var isClaimed = false

    package func handle<Output: Sendable>(
        client: AbsurdClient, queue: String, output: OutputCodec<Output>
    ) -> TaskHandle<Output> {
        TaskHandle(
            client: client, queue: queue, taskID: taskID, runID: runID, attempt: attempt,
            wasCreated: wasCreated,
            output: output)
    }
}
