import LibPQ

/// Statements of a producer whose program has an idle worker: what they make due is claimed for that one with the same
/// commit, and its handler starts when the answer comes.
extension SpawnRow {
    /// Spawns the task and executes it in that slot; nil when it is to be spawned as if there were none.
    func spawnAndClaim(
        _ slot: SlotReservation, _ pool: PostgresPool, _ isCancellable: Bool
    ) async throws -> SpawnAnswer? {
        try await slot.claiming {
            let call = BesideCall(
                kind: "start", function: "spawn_and_claim", columns: ClaimColumn.names,
                parameters: [
                    .uuid(taskID), .uuid(runID), .text(taskName), .text(params.text), .text(options.text),
                    .text(slot.holder.worker), .int(Int64(slot.claimTimeout)),
                ])
            guard let row = try await call.send(slot, pool, isCancellable)?.first else { return nil }
            slot.execute(try ClaimedRun(row, holder: slot.holder, receivedAt: .now), checkpoints: [:])
            return .spawned(
                SpawnedTask(
                    taskID: TaskID(taskID), runID: RunID(runID), attempt: 1, wasCreated: true, isClaimed: true
                ))
        }
    }
}

extension EmitRow {
    /// Emits the event, and executes in that slot the one run that waits for it; nil when it is to be emitted as if there
    /// were none.
    func emitAndClaim(
        _ slot: SlotReservation, _ pool: PostgresPool, _ isCancellable: Bool
    ) async throws -> EmitAnswer? {
        try await slot.claiming {
            let call = BesideCall(
                kind: "raise", function: "emit_and_claim",
                columns: ClaimColumn.names + ", answer, step, state",
                parameters: [
                    .text(event), .text(payload.text), .text(slot.holder.worker),
                    .int(Int64(slot.claimTimeout)),
                    .textArray(slot.taskNames), .int(PostgresRunStore.pageBytes),
                ])
            guard let rows = try await call.send(slot, pool, isCancellable), let first = rows.first else {
                return nil
            }
            if try first.textOrNull(ClaimColumn.taskName.rawValue) != nil {
                let run = try ClaimedRun(first, holder: slot.holder, receivedAt: .now)
                slot.execute(run, checkpoints: try Self.checkpoints(rows.dropFirst()))
            }
            return try EmitAnswer(first)
        }
    }

    /// Nil when there are more than an answer may have; the run loads them by itself then.
    private static func checkpoints(_ rows: some Sequence<SQLRow>) throws -> [String: JSONText?]? {
        var (loaded, bytes): ([String: JSONText?], Int64) = ([:], 0)
        for row in rows {
            let checkpoint = try LoadedCheckpoint(row)
            loaded.updateValue(checkpoint.state, forKey: checkpoint.step)
            bytes += checkpoint.bytes
        }
        return bytes < PostgresRunStore.pageBytes ? loaded : nil
    }
}

/// One call of `absurd_swift.spawn_and_claim` or `emit_and_claim`.
private struct BesideCall {
    /// The kind of the queue's own function.
    let kind: String
    let function: String
    let columns: String
    /// Those of both but for the queue, which the function of the schema has before them.
    let parameters: [SQLParameter]

    /// Nil when this database does not let it be called.
    func send(
        _ slot: SlotReservation, _ pool: PostgresPool, _ isCancellable: Bool
    ) async throws -> SQLRows? {
        while true {
            let manner = slot.manner
            let places = (1...parameters.count).map { "$\($0)" }.joined(separator: ", ")
            let own = quotedIdentifier("\(kind):\(slot.holder.queue)")
            let sql: String
            var parameters = parameters
            switch manner {
            case .ownFunction:
                sql = "select \(columns) from absurd_swift.\(own)(\(places))"
            case .schemaFunction:
                parameters.append(.text(slot.holder.queue))
                sql = "select \(columns) from absurd_swift.\(function)($\(parameters.count), \(places))"
            case .never:
                return nil
            }
            do {
                return try await pool.query(sql, parameters, isCancellable: isCancellable)
            } catch let error as PostgresError where error.sqlState == "42501" || error.sqlState == "42883" {
                slot.isRefused(manner)
            }
        }
    }
}
