/// One thing that the handler of a chaos task does.
package indirect enum Act: Codable, Sendable {
    /// A step whose body takes that long.
    case step(milliseconds: Int)
    /// So many steps side by side.
    case parallel(count: Int, milliseconds: Int)
    case sleep(milliseconds: Int)
    case await(event: String)
    case emit(event: String)
    /// Spawns a task and waits for its end.
    case child([Act])
    /// Throws while the attempt's number is not above this one.
    case fail(attempts: Int)
}

/// How a task has to end, which is also its name.
package enum Ending: String, CaseIterable, Codable, Sendable {
    /// Attempts without limit: completed, whatever happens.
    case steady
    /// A few attempts: completed, or failed after the last.
    case limited
    /// Throws in each attempt: failed after the last.
    case doomed
    /// Waits for what never comes, and is cancelled by a call.
    case cancelled
    /// The same, cancelled by its policy.
    case expiring
}

/// What a handler returns: who it was, and each value that it saw, by the name of its checkpoint.
package struct Observed: Codable, Sendable {
    package var worker: String
    package var claim: String
    package var values: [String: String]

    package init(worker: String, claim: String, values: [String: String]) {
        self.worker = worker
        self.claim = claim
        self.values = values
    }
}

/// The queue of the chaos tasks, in a database of its own for each seed.
package let chaosQueue = "chaos"
