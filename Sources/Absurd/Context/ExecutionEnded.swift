/// Thrown by every durable call once the execution has ended for the worker.
///
/// A handler need not treat it: whatever the handler does then, the outcome stands. Code that catches
/// everything should let it pass, since each further durable call only throws it again.
public struct ExecutionEnded: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The run is parked until a time, an event or a result; it starts again from the top then.
        case suspended
        /// The run is no longer held by this worker.
        case claimLost
        /// The task was cancelled, or the worker is stopping and gives the run back.
        case cancelled
        /// The handler has executed for longer than its ``Handler/attemptTimeout``; the attempt fails.
        case timedOut
        /// The handler has returned already; the call came from something that it left running.
        case finished
    }

    public let reason: Reason

    public var description: String {
        switch reason {
        case .suspended: "the run is suspended; the handler runs again when it is due"
        case .claimLost: "the run is held by another worker or was taken away"
        case .cancelled: "the task was cancelled or its worker is stopping"
        case .timedOut: "the handler has executed for longer than its attempt timeout"
        case .finished: "the handler has already returned"
        }
    }
}
