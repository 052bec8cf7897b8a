extension TaskContext {
    /// Looks for what a wait wants and parks the run only if it is not there.
    ///
    /// The look comes first so that steps running beside the wait go on meanwhile; parking waits until none of
    /// them is in flight.
    package func lookThenPark(
        _ send: @escaping @Sendable (_ writer: RunWriter, _ parks: Bool) async throws -> WaitAnswer
    ) async throws -> WaitAnswer {
        let answer = try await inFlight {
            try await write(refusal: \.refusal) { writer in try await send(writer, false) }
        }
        guard answer == .absent else { return answer }
        return try await park { writer in try await send(writer, true) }
    }
}

extension WaitAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}

extension CheckpointAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}

extension RenewAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}
