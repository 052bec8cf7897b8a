import LibPQ

extension PostgresRunStore {
    package func register(_ entry: RegistryEntry) async throws -> Bool {
        try await translatingErrors {
            _ = try await send(
                "select absurd_swift.register($1, $2, $3, $4, $5, $6, $7, $8)",
                [
                    .text(entry.holder.worker), .text(entry.holder.queue), .text(WorkerIdentity.process),
                    .text(WorkerIdentity.hostName), .int(Int64(WorkerIdentity.processID)),
                    .text(entry.version), .int(Int64(entry.slots)), .int(Int64(entry.restarts)),
                ], isCancellable: true)
        }
        return true
    }

    package func deregister(_ worker: String) async throws -> Bool {
        let rows = try await resendingAfterConflict {
            try await send(
                "select absurd_swift.deregister($1)", [.text(worker)], isCancellable: true,
                isRepeatable: false)
        }
        return try rows.first?.decode(0) ?? true
    }
}
