/// What a supervisor did or saw, one line each.
public enum SupervisorEvent: Sendable, Hashable {
    case started(child: Int, processID: Int32)
    case ended(ChildEnd)
    /// A child did not end within the grace period and is killed.
    case killing(child: Int, processID: Int32, after: Duration)
    /// The supervisor stops its children; how many there are, and how long they may take.
    case stopping(processes: Int, grace: Duration)
    case rollStarted
    case rollEnded
    /// A new process did not stay up; the children that are left are those from before.
    case rollFailed(reason: String)
    /// What a dead child had claimed is claimable again.
    case claimsGivenBack(child: Int, processID: Int32, runs: Int)
    /// What a dead child had claimed is taken over later, when others notice.
    case claimsNotGivenBack(child: Int, processID: Int32, reason: String)
    /// Not a child: the process that ends the children if the supervisor dies; another one is started.
    case watchdogLost(reason: String)
}

/// The end of one child process.
public struct ChildEnd: Sendable, Hashable {
    /// The number of the child, from 0.
    public let child: Int
    /// Nil when it could not be started.
    public let processID: Int32?
    public let end: ProcessEnd
    /// How long it ran.
    public let duration: Duration
    /// Whether the supervisor had asked for it.
    public let isExpected: Bool
    /// How often the child was started again, the coming restart included.
    public let restarts: Int
    /// How long from now until the child is started again; nil when it is not.
    public let restartIn: Duration?
}

extension ChildEnd: CustomStringConvertible {
    public var description: String {
        let process = processID.map { " (process \($0))" } ?? ""
        let line = "child \(child)\(process) \(end) after \(duration.rounded)"
        if let restartIn { return "\(line); restart \(restarts) in \(restartIn.rounded)" }
        return isExpected ? "\(line), as asked" : "\(line); not started again"
    }
}

extension SupervisorEvent: CustomStringConvertible {
    public var description: String {
        switch self {
        case .started(let child, let processID): "child \(child) (process \(processID)) started"
        case .ended(let end): end.description
        case .killing(let child, let processID, let grace):
            "child \(child) (process \(processID)) did not end within \(grace.rounded) and is killed"
        case .stopping(let processes, let grace):
            "stopping \(processes) \(processes == 1 ? "process" : "processes"), which may take \(grace.rounded)"
        case .rollStarted: "replacing the children one after the other"
        case .rollEnded: "all children are replaced"
        case .rollFailed(let reason): "the children are not replaced any further: the new one \(reason)"
        case .claimsGivenBack(let child, let processID, let runs):
            "child \(child) (process \(processID)): \(runs) claimed \(runs == 1 ? "run" : "runs") given back"
        case .claimsNotGivenBack(let child, let processID, let reason):
            "child \(child) (process \(processID)): its claims could not be given back and are taken over later: "
                + reason
        case .watchdogLost(let reason): "the process that ends orphaned children was lost: \(reason)"
        }
    }
}

extension Duration {
    /// For people: seconds, with as many digits as say something.
    var rounded: String {
        let seconds = Double(components.seconds) + Double(components.attoseconds) / 1e18
        let digits = seconds < 0.1 ? 1000.0 : seconds < 10 ? 100.0 : 10.0
        let value = (seconds * digits).rounded() / digits
        return value == value.rounded() ? "\(Int(value)) s" : "\(value) s"
    }
}
