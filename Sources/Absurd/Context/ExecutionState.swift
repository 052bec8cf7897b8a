/// Everything that one execution of a run remembers, as a value: events go in, decisions come out.
///
/// ``TaskContext`` holds it in a lock and acts on the decisions outside of it.
package struct ExecutionState: Sendable {
    /// Why no more durable calls are taken.
    package enum End: Hashable, Sendable {
        case suspended, claimLost, taskCancelled, runFailed, stopping, timedOut, finished
    }

    package enum Phase: Hashable, Sendable {
        case running
        /// A statement that may suspend the run is under way; other calls wait for its answer.
        case parking
        case ended(End)
    }

    /// What a durable call is told when it starts.
    package enum Admission: Sendable {
        case proceed(checkpoint: String)
        case known(checkpoint: String, state: JSONText?)
        /// Ask again when the parking statement has its answer.
        case hold
        case refused(AbsurdError)
        case ended(End, repeats: Int)
    }

    package private(set) var phase = Phase.running
    package private(set) var checkpoints: [String: JSONText?]
    /// Steps and looks between their start and the end of their write.
    package private(set) var callsInFlight = 0
    package private(set) var writesInFlight = 0
    private var names: [String: NameUse] = [:]
    private var callsAfterEnd = 0

    private struct NameUse {
        var count: Int
        /// The Swift task that used the name first.
        ///
        /// Compared, never dereferenced.
        var owner: Int
    }

    package init(checkpoints: [String: JSONText?]) {
        self.checkpoints = checkpoints
    }

    /// Admits a call under a name, numbered when the name was used before in this execution.
    ///
    /// The n-th use of `name` is stored as `name#n`, as all SDKs do. A name may repeat only within one Swift
    /// task: the order among several is not the same from one execution to the next.
    ///
    /// - Parameter holdsRun: Whether the call, if it proceeds, keeps the run from being parked until
    ///   ``callEnded()``. It counts from here on, so that nothing parks the run before the call has begun.
    package mutating func admit(_ name: String, owner: Int, holdsRun: Bool = false) -> Admission {
        switch phase {
        case .ended(let end):
            callsAfterEnd += 1
            return .ended(end, repeats: callsAfterEnd)
        case .parking:
            return .hold
        case .running:
            break
        }
        var use = names[name] ?? NameUse(count: 0, owner: owner)
        guard use.owner == owner else {
            return .refused(
                .invalidArgument(
                    "'\(name)' is used by two concurrent parts of the handler; give each its own name, because "
                        + "their order can differ when the handler runs again"))
        }
        use.count += 1
        names[name] = use
        let checkpoint = use.count == 1 ? name : "\(name)#\(use.count)"
        if let state = checkpoints[checkpoint] { return .known(checkpoint: checkpoint, state: state) }
        if holdsRun { callsInFlight += 1 }
        return .proceed(checkpoint: checkpoint)
    }

    /// Admits a call that has no name of its own, such as a heartbeat.
    package mutating func admitUnnamed(holdsRun: Bool = false) -> Admission {
        switch phase {
        case .ended(let end):
            callsAfterEnd += 1
            return .ended(end, repeats: callsAfterEnd)
        case .parking: return .hold
        case .running:
            if holdsRun { callsInFlight += 1 }
            return .proceed(checkpoint: "")
        }
    }

    package mutating func callStarted() { callsInFlight += 1 }
    package mutating func callEnded() { callsInFlight -= 1 }
    package mutating func writeEnded() { writesInFlight -= 1 }

    /// False once the execution has ended: the write must not be sent then.
    package mutating func writeStarted() -> Bool {
        if case .ended = phase { return false }
        writesInFlight += 1
        return true
    }

    package mutating func remember(_ checkpoint: String, _ state: JSONText?) {
        checkpoints.updateValue(state, forKey: checkpoint)
    }

    /// True when the caller may send the statement that parks the run; it then owes ``parkingAnswered(parked:)``.
    package mutating func startParking() -> Bool {
        guard phase == .running, callsInFlight == 0 else { return false }
        phase = .parking
        return true
    }

    package mutating func parkingAnswered(parked: Bool) {
        guard phase == .parking else { return }
        phase = parked ? .ended(.suspended) : .running
    }

    /// Ends the execution; the first reason stands.
    ///
    /// True when this call ended it.
    ///
    /// While a parking statement is under way a lost claim is not believed, since it may just have been parked, and
    /// the time of an execution that is being parked is not over: the answer will tell.
    @discardableResult
    package mutating func end(_ reason: End) -> Bool {
        if case .ended = phase { return false }
        if phase == .parking, reason == .claimLost || reason == .timedOut { return false }
        phase = .ended(reason)
        return true
    }
}

extension ExecutionState.End {
    package var published: ExecutionEnded.Reason {
        switch self {
        case .suspended: .suspended
        case .claimLost, .runFailed: .claimLost
        case .taskCancelled, .stopping: .cancelled
        case .timedOut: .timedOut
        case .finished: .finished
        }
    }

    package init?(_ refusal: Refusal) {
        switch refusal {
        case .lost: self = .claimLost
        case .cancelled: self = .taskCancelled
        case .failed: self = .runFailed
        case .data, .busy: return nil
        }
    }
}
