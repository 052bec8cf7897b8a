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
    /// - Throws: ``ExecutionEnded`` when the run was suspended; ``AbsurdError`` with the codes `invalidArgument` (more than
    ///   10,000 years, an empty name, or a call inside a step) or `undecodable` (what is recorded under the name is not
    ///   the end of a sleep).
    public func sleep(_ name: String = "$sleep", for duration: Duration) async throws {
        let duration = try max(duration, .zero).validated("the duration of a sleep")
        try await sleep(name, until: run.databaseNow + duration, due: .after(duration))
    }

    /// Suspends the run until that time by the database's clock; a time in the past does not suspend.
    ///
    /// - Throws: As ``sleep(_:for:)``; the date has to be within 10,000 years of 1970.
    public func sleep(_ name: String = "$sleep", until date: Date) async throws {
        guard abs(date.timeIntervalSince1970) < Duration.longestStored.inSeconds else {
            throw AbsurdError.invalidArgument("a sleep must end within 10,000 years of 1970")
        }
        let end = PostgresTimestamp(date)
        try await sleep(name, until: end, due: .at(end))
    }

    /// - Parameters:
    ///   - planned: What is recorded: the end as far as it can be told here.
    ///   - due: What the database makes of it by its own clock, never earlier than what is recorded.
    private func sleep(
        _ name: String, until planned: PostgresTimestamp, due: FinishWrite.Due
    ) async throws {
        switch try await admit(name) {
        case .known(let checkpoint, let state):
            let end = try wakeTime(state, of: checkpoint)
            if end > run.databaseNow { try await park(until: .at(end), checkpoint: nil) }
        case .proceed(let checkpoint):
            let state = try JSONText(encoding: ISO8601.format(planned))
            guard planned > run.databaseNow else {
                _ = try await inFlight { try await store(state, as: checkpoint) }
                return
            }
            try await park(until: due, checkpoint: (checkpoint, state))
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
        until due: FinishWrite.Due, checkpoint: (step: String, state: JSONText)?
    ) async throws {
        let write = FinishWrite(key: run.key, action: .sleep(until: due, checkpoint: checkpoint))
        _ = try await park { writer in
            switch try await writer.finish(write) {
            case .done: .parked
            case .refused(let refusal): .refused(refusal)
            }
        }
    }
}
