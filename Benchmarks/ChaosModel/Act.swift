/// One thing that the handler of a chaos task does.
package indirect enum Act: Codable, Sendable {
    /// A step whose body takes that long.
    case step(milliseconds: Int)
    /// So many steps side by side.
    case parallel(count: Int, milliseconds: Int)
    case sleep(milliseconds: Int)
    case await(event: String)
    /// Waits no longer than that, and goes on without the event.
    case awaitBriefly(event: String, milliseconds: Int)
    /// A step that takes longer than a claim lasts and says again and again that it is still there.
    case beat(milliseconds: Int)
    case emit(event: String)
    /// Spawns a task and waits for its end.
    case child([Act])
    /// Throws while the attempt's number is not above this one.
    case fail(attempts: Int)
    /// Executes for longer than its time limit while the attempt's number is not above this one.
    case overrun(attempts: Int)
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
    /// Fails as often as it may and is given one more attempt by hand: completed in that one, or failed.
    case retried
    /// Has a time limit for each execution, and a few attempts: completed, or failed after the last.
    case overrunning

    /// How many attempts a task of this kind may have; nil for as many as it takes.
    package var attempts: Int? {
        switch self {
        case .limited, .doomed, .retried, .overrunning: 4
        case .steady, .cancelled, .expiring: nil
        }
    }
}

/// How the tasks of a round are named by their idempotency keys.
package func chaosKey(_ index: Int) -> String { "task-\(index)" }

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
