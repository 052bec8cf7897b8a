extension TaskContext {
    /// Keeps the claim for another claim timeout, or for the given time, from the database's now.
    ///
    /// For steps that take longer than the claim timeout: call it more often than that. It never shortens a claim,
    /// and is free while most of the claim is left. May be called inside a step.
    ///
    /// - Throws: ``ExecutionEnded`` when the claim is gone; stop then.
    public func heartbeat(for duration: Duration? = nil) async throws {
        try await admitUnnamed()
        let seconds =
            try duration.map { try max($0.wholeSeconds("the time of a heartbeat"), 1) } ?? claimSeconds
        // A claim without end needs no renewal; the call still asks whether it stands.
        let renewal = RenewWrite(key: run.key, claimTimeout: seconds > 0 ? seconds : nil)
        let start = ContinuousClock.now
        _ = try await write { try await $0.renew(renewal) }
        renewed(by: seconds, sentAt: start)
    }
}
