import LibPQ

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension TaskContext {
    /// Suspends the run for that long; the handler runs again from the top when the time has come.
    ///
    /// The end of the sleep is recorded under `name`, so a handler that runs again for another reason sleeps only
    /// for what is left. Measured by the database's clock. Zero or less does not suspend.
    ///
    /// - Throws: ``ExecutionEnded`` when the run was suspended.
    public func sleep(_ name: String = "$sleep", for duration: Duration) async throws {
        let duration = try max(duration, .zero).validated("the duration of a sleep")
        try await sleep(name, until: run.databaseNow + duration)
    }

    /// Suspends the run until that time by the database's clock; a time in the past does not suspend.
    ///
    /// - Throws: ``ExecutionEnded`` when the run was suspended.
    public func sleep(_ name: String = "$sleep", until date: Date) async throws {
        guard abs(date.timeIntervalSince1970) < Duration.longestStored.inSeconds else {
            throw AbsurdError.invalidArgument("a sleep must end within 10,000 years of now")
        }
        try await sleep(name, until: PostgresTimestamp(date))
    }

    private func sleep(_ name: String, until planned: PostgresTimestamp) async throws {
        switch try await admit(name) {
        case .known(let checkpoint, let state):
            let end = try wakeTime(state, of: checkpoint)
            if end > run.databaseNow { try await park(until: end, checkpoint: nil) }
        case .proceed(let checkpoint):
            let state = try JSONText(encoding: ISO8601.format(planned))
            guard planned > run.databaseNow else {
                _ = try await inFlight { try await store(state, as: checkpoint) }
                return
            }
            try await park(until: planned, checkpoint: (checkpoint, state))
        }
    }

    private func wakeTime(_ state: JSONText?, of checkpoint: String) throws -> PostgresTimestamp {
        // A value that is no JSON string is reported below like a string that is no time.
        guard let text = try? state?.decode(as: String.self), let instant = ISO8601.parse(text) else {
            throw AbsurdError(
                .undecodable,
                "the recorded value of '\(checkpoint)' is not the end of a sleep; was its name a step's before?"
            )
        }
        return instant
    }

    private func park(
        until end: PostgresTimestamp, checkpoint: (step: String, state: JSONText)?
    ) async throws {
        let write = FinishWrite(key: run.key, action: .sleep(until: .at(end), checkpoint: checkpoint))
        let holder = run.holder
        _ = try await park { writer in
            switch try await writer.finish(write, holder: holder) {
            case .done: .parked
            case .refused(let refusal): .refused(refusal)
            }
        }
    }
}
