/// What an execution comes to.
///
/// Decided once, here, and acted on in one place.
package enum Outcome: Sendable {
    case complete(JSONText)
    case fail(TaskFailure)
    /// Parked; the database knows already.
    case suspended
    /// The claim is gone, and with it the right to say anything.
    case claimLost
    case taskCancelled
    /// The worker stops; the run is given back.
    case stopped

    /// Decides by how the execution ended for the worker first, and by what the handler did only after that: a
    /// handler that swallows every error cannot turn a parked run into a failed one.
    package static func decide(
        _ returned: Result<HandlerReturn, any Error>, end: ExecutionState.End, attemptTimeout: Duration? = nil
    ) -> Outcome {
        switch end {
        case .suspended: return .suspended
        case .claimLost, .runFailed: return .claimLost
        case .taskCancelled: return .taskCancelled
        case .stopping: return .stopped
        case .timedOut: return .fail(.attemptTimeout(attemptTimeout ?? .zero))
        case .finished: break
        }
        switch returned {
        case .success(.complete(let result)): return .complete(result)
        case .success(.fail(let failure)): return .fail(failure)
        case .success(.suspend):
            return .fail(
                TaskFailure(
                    "the handler returned .suspend, but nothing was parked: it must sleep or wait first",
                    name: "NothingParked"))
        case .failure(let error): return .fail(TaskFailure(describing: error))
        }
    }
}
