// What steps are made of, for handlers that name and read their checkpoints themselves.
extension TaskContext {
    /// The value recorded under exactly this name, as this execution knows it; nil when there is none.
    ///
    /// Known is what was recorded before the run was claimed, and what this execution has recorded since. Nothing is
    /// asked of the database, and the names of repeated steps have their number: `reserve#2`. A step without a value is
    /// JSON null.
    ///
    /// - Throws: ``AbsurdError`` with the code `undecodable`, when the stored value is beyond what ``JSONValue`` holds.
    public func checkpoint(_ name: String) throws -> JSONValue? {
        guard let state = recorded(name) else { return nil }
        do {
            return try state?.value() ?? .null
        } catch let error as DecodingError {
            throw AbsurdError(
                .undecodable, "the recorded value of '\(name)' cannot be read: \(describe(error))")
        }
    }

    /// Records a value under exactly this name, unless it has one, and returns the value that counts.
    ///
    /// Like a step it keeps the claim for another ``claimTimeout`` and may not be called inside the body of a step.
    /// Unlike a step its name is never numbered: a second call with the same name changes nothing. A step of that name
    /// returns the value.
    ///
    /// - Throws: ``ExecutionEnded``; ``AbsurdError`` with the codes `rejected` (the database refused the value) or
    ///   `invalidArgument` (an empty name, or a call inside a step).
    @discardableResult
    public func setCheckpoint(_ name: String, to value: JSONValue) async throws -> JSONValue {
        try validateStep(name)
        try await admitUnnamed(holdsRun: true)
        return try await holding {
            if let known = try checkpoint(name) { return known }
            let state = try encodeDocument(value, named: "the value of step '\(name)'")
            return try await store(state, as: name)?.value() ?? value
        }
    }
}
