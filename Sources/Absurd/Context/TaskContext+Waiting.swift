extension TaskContext {
    /// Looks for what a wait wants and parks the run only if it is not there.
    ///
    /// The look comes first so that steps running beside the wait go on meanwhile; parking waits until none of
    /// them is in flight.
    ///
    /// - Parameter waits: False to look only.
    package func lookThenPark(
        waits: Bool = true, _ send: (_ writer: RunWriter, _ parks: Bool) async throws -> WaitAnswer
    ) async throws -> WaitAnswer {
        let answer = try await inFlight {
            try await write { try await send($0, false) }
        }
        guard waits, answer == .absent else { return answer }
        return try await park { try await send($0, true) }
    }
}
