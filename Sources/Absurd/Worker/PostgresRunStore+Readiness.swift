import LibPQ

extension PostgresRunStore {
    package func checkReadiness(queue: String) async throws {
        try await translatingErrors(queue: nil) {
            // The newest function that workers call: without it handlers would execute, and their ends not be recorded.
            _ = try await send(
                "select absurd_swift.get_schema_version(), 'absurd_swift.complete'::regproc", [],
                isCancellable: true)
            let queues = try await send(
                "select 1 from absurd.get_queue_policy($1)", [.text(queue)], isCancellable: true)
            guard !queues.isEmpty else { throw AbsurdError.queueMissing(queue) }
        }
    }
}
