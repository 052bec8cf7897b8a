/// One child of a supervisor, as it stands.
public struct ChildStatus: Sendable, Hashable {
    public enum State: String, Sendable {
        case starting, running, stopping
        /// Between an end and the restart.
        case waiting
        /// Has ended with status 0 and is not started again.
        case finished
    }

    /// The number of the child, from 0.
    public let child: Int
    public let state: State
    /// Nil while there is none.
    public let processID: Int32?
    /// How often it was started again after an end that nobody asked for.
    public let restarts: Int
    /// Since when the process runs.
    public let since: ContinuousClock.Instant?
    /// How its last process ended; nil while the first one runs.
    public let lastEnd: ProcessEnd?
}
