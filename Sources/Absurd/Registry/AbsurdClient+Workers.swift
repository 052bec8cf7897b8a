import LibPQ

extension AbsurdClient {
    /// The workers that are registered, by queue, host and process.
    ///
    /// Workers of other SDKs do not register, nor do programs that claim by hand.
    ///
    /// - Parameter queue: Only those of this queue.
    /// - Throws: ``AbsurdError`` with the codes `schemaMissing`, `schemaOutdated`.
    public func workers(on queue: String? = nil) async throws -> [RegisteredWorker] {
        let rows = try await query(
            """
            select worker_id, queue, process, host, process_id, version, slots, running, restarts, registered_at,
              greatest(beat_at, claimed_at) as last_seen_at,
              case
                when lost_at is not null then 'lost'
                when absurd_swift.is_suspect(w, clock_timestamp()) then 'silent'
                else 'live'
              end as state
            from absurd_swift.workers w
            where $1::text is null or queue = $1
            order by queue, host, process_id, worker_id
            """, [queue.map { .text($0) } ?? .null])
        return try rows.map(RegisteredWorker.init)
    }

    /// Gives up the runs of a worker that is known to be dead, without waiting for anybody to miss it.
    ///
    /// Each of its runs fails with the reason `$WorkerLost`, an attempt spent, and is attempted again after the retry
    /// delay of its task. Does nothing for an id that is not registered. A worker that lives after all is refused
    /// everything from then on, cancels its handlers and registers under a new id.
    ///
    /// The database believes it: with the roles of `absurd schema --roles` only `absurd_supervisor` and
    /// `absurd_operator` may call it.
    ///
    /// - Returns: How many runs were failed.
    @discardableResult
    public func workerLost(_ id: String) async throws -> Int {
        try await giveUp("select worker_id, queue, runs, is_out from absurd_swift.worker_lost($1)", id)
    }

    /// Gives up the runs of all workers of a process that is known to be dead; see ``workerLost(_:)``.
    ///
    /// For whoever starts the process: give it a value of its own, new with each start, in the environment variable
    /// `ABSURD_PROCESS`, and call this with that value when the process has ended, however it did.
    ///
    /// - Parameter process: ``RegisteredWorker/process``.
    /// - Returns: How many runs were failed.
    @discardableResult
    public func processLost(_ process: String) async throws -> Int {
        try await giveUp("select worker_id, queue, runs, is_out from absurd_swift.process_lost($1)", process)
    }

    private func giveUp(_ statement: String, _ argument: String) async throws -> Int {
        try await translatingErrors {
            var failed = 0
            var pauses = Backoff(base: .milliseconds(10), cap: .milliseconds(250))
            // Rows that somebody keeps locked are left to those who watch.
            var patience = 20
            while patience > 0 {
                let rows = try await resendingAfterConflict {
                    try await pool.query(statement, [.text(argument)])
                }
                guard let verdict = try rows.first.map(LossVerdict.init) else { break }
                failed += verdict.runs
                if verdict.runs == 0, !verdict.isOut {
                    patience -= 1
                    try await Task.sleep(for: pauses.next())
                }
            }
            return failed
        }
    }
}
