package import LibPQ

/// The ``RunStore`` on the functions of schema `absurd_swift`.
///
/// Its statements are not cancelled with the Swift task that waits for them: a write may carry the rows of several
/// runs. Claims and what gives runs back are, for a worker that ends while the database is silent.
package struct PostgresRunStore: RunStore {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    func send(
        _ sql: String, _ parameters: [SQLParameter], isCancellable: Bool = false, isRepeatable: Bool = true
    ) async throws -> SQLRows {
        try await pool.query(
            sql, parameters, isCancellable: isCancellable, isRepeatable: isRepeatable)
    }

    package func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] {
        let rows = try await send(
            "select \(ClaimColumn.names) from absurd_swift.claim($1, $2, $3, $4, $6, $5, $7, true)",
            [
                .text(request.holder.queue), .text(request.holder.worker), .int(Int64(request.timeout)),
                .int(Int64(request.limit)), .bool(request.sweeps),
                request.dueFrom.map { .timestamp($0) } ?? .null, .bool(request.isRegistered),
            ], isCancellable: true)
        let receivedAt = ContinuousClock.now
        return try rows.map { try ClaimedRun($0, holder: request.holder, receivedAt: receivedAt) }
    }

    package func loadCheckpoints(
        queue: String, runs: [RunID]
    ) async throws -> [RunID: [String: JSONText?]] {
        var loaded: [RunID: [String: JSONText?]] = [:]
        var after: (position: Int32, step: String?) = (0, nil)
        while true {
            let rows = try await send(
                "select position, step, state from absurd_swift.load_checkpoints($1, $2, $3, $4, $5)",
                [
                    .text(queue), .uuidArray(runs.map(\.uuid)), .int(Int64(after.position)),
                    after.step.map { .text($0) } ?? .null, .int(Self.pageBytes),
                ])
            var bytes: Int64 = 0
            for row in rows {
                let position = try row.decode("position", as: Int32.self)
                let checkpoint = try LoadedCheckpoint(row)
                loaded[runs[Int(position) - 1], default: [:]].updateValue(
                    checkpoint.state, forKey: checkpoint.step)
                bytes += checkpoint.bytes
                after = (position, checkpoint.step)
            }
            // The function stops after the row that fills the page, so a page that is not full is the last.
            if bytes < Self.pageBytes { return loaded }
        }
    }

    /// Bounds one answer, however many runs and however large their checkpoints.
    static let pageBytes: Int64 = 8 << 20

    package func finish(
        _ writes: [FinishWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [FinishAnswer] {
        if wait, let results = FinishWrite.results(of: writes) {
            return try await complete(writes.map(\.key), results, holder)
        }
        let columns = writes.map(FinishColumns.init)
        let rows = try await send(
            """
            select answer, task_state, sqlstate, message
            from absurd_swift.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) order by position
            """,
            fence(holder, writes.map(\.key)) + [
                .textArray(columns.map(\.action)), .textArray(columns.map(\.payload)),
                .textArray(columns.map(\.step)), .timestampArray(columns.map(\.wakeAt)),
                .doubleArray(columns.map(\.delay)), .bool(wait),
            ], isCancellable: writes.allSatisfy(\.isRelease))
        return try answers(rows, writes.count) { row, answer in try FinishAnswer(answer, row) }
    }

    /// What most batches are: the answers that come back are only those of runs that were not completed now.
    private func complete(
        _ keys: [ClaimKey], _ results: [String?], _ holder: ClaimHolder
    ) async throws -> [FinishAnswer] {
        let rows = try await send(
            """
            select answer, task_state, sqlstate, message, position
            from absurd_swift.complete($1, $2, $3, $4, $5)
            """,
            fence(holder, keys) + [.textArray(results)])
        var answers = Array(repeating: FinishAnswer.done(taskState: .completed), count: keys.count)
        for row in rows {
            let index = Int(try row.int32(4)) - 1
            guard answers.indices.contains(index) else { throw SpawnStatement.wrongAnswer }
            answers[index] = try FinishAnswer(row.text(0), row)
        }
        return answers
    }

    package func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] {
        let rows = try await send(
            """
            select answer, state, sqlstate, message
            from absurd_swift.checkpoint($1, $2, $3, $4, $5, $6, $7, $8) order by position
            """,
            fence(holder, writes.map(\.key)) + [
                .textArray(writes.map(\.step)), .textArray(writes.map(\.state.text)),
                .intArray(writes.map { $0.claimTimeout.map(Int64.init) }), .bool(wait),
            ])
        return try answers(rows, writes.count) { row, answer in
            switch answer {
            case "stored": .stored
            case "kept": .kept(try row.decode("state", as: String?.self).map(JSONText.init))
            default: .refused(try Refusal(answer, row))
            }
        }
    }

    package func renew(
        _ writes: [RenewWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [RenewAnswer] {
        try await renew(writes, holder, wait, isCancellable: false)
    }

    package func look(at writes: [RenewWrite], holder: ClaimHolder) async throws -> [RenewAnswer] {
        try await renew(writes, holder, false, isCancellable: true)
    }

    private func renew(
        _ writes: [RenewWrite], _ holder: ClaimHolder, _ wait: Bool, isCancellable: Bool
    ) async throws -> [RenewAnswer] {
        let rows = try await send(
            "select answer from absurd_swift.renew($1, $2, $3, $4, $5, $6) order by position",
            fence(holder, writes.map(\.key)) + [
                .intArray(writes.map { $0.claimTimeout.map(Int64.init) }), .bool(wait),
            ], isCancellable: isCancellable)
        return try answers(rows, writes.count) { row, answer in
            answer == "renewed" ? .renewed : .refused(try Refusal(answer, nil))
        }
    }

    package func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int {
        let rows = try await send(
            "select absurd_swift.give_back_strays($1, $2, $3, $4)",
            fence(holder, known), isCancellable: true)
        return Int(try rows.first?.decode(0, as: Int32.self) ?? 0)
    }

    package func awaitEvent(
        _ writes: [EventWait], holder: ClaimHolder, wait: Bool
    ) async throws -> [WaitAnswer] {
        let rows = try await send(
            """
            select answer, payload, sqlstate, message
            from absurd_swift.await_event($1, $2, $3, $4, $5, $6, $7, $8, $9) order by position
            """,
            fence(holder, writes.map(\.key)) + [
                .textArray(writes.map(\.step)), .textArray(writes.map(\.event)),
                .doubleArray(writes.map { $0.timeout?.inSeconds }), .boolArray(writes.map(\.parks)),
                .bool(wait),
            ])
        return try answers(rows, writes.count) { row, answer in try WaitAnswer(answer, row) }
    }

    package func awaitTask(
        _ writes: [TaskWait], holder: ClaimHolder, wait: Bool
    ) async throws -> [WaitAnswer] {
        let rows = try await send(
            """
            select answer, payload, sqlstate, message
            from absurd_swift.await_task($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) order by position
            """,
            fence(holder, writes.map(\.key)) + [
                .textArray(writes.map(\.step)), .textArray(writes.map(\.queue)),
                .uuidArray(writes.map(\.task.uuid)), .doubleArray(writes.map(\.pollDelay.inSeconds)),
                .boolArray(writes.map(\.parks)), .bool(wait),
            ])
        return try answers(rows, writes.count) { row, answer in try WaitAnswer(answer, row) }
    }

    private func fence(_ holder: ClaimHolder, _ keys: [ClaimKey]) -> [SQLParameter] {
        [
            .text(holder.queue), .text(holder.worker), .uuidArray(keys.map(\.run.uuid)),
            .timestampArray(keys.map(\.token)),
        ]
    }

    /// - Parameter decode: Makes an answer of a row and of its first column, which says what kind it is.
    private func answers<Answer>(
        _ rows: SQLRows, _ count: Int, _ decode: (SQLRow, String) throws -> Answer
    ) throws -> [Answer] {
        guard rows.count == count else { throw SpawnStatement.wrongAnswer }
        return try rows.map { try decode($0, try $0.text(0)) }
    }
}
