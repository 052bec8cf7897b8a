public import Absurd
public import Logging
public import ServiceLifecycle
import Synchronization

/// Keeps processes of one command alive.
///
/// Swift has no isolation inside a process: a trap ends all of it. So the workers of a queue run in several processes,
/// each started again when it ends, and what it had claimed goes back at once.
///
/// Graceful shutdown sends each child SIGTERM and waits for it for ``SupervisorOptions/gracePeriod``; cancellation does
/// the same for five seconds at most; ``kill()`` does not wait. The children end with this process, however that ends:
/// a small shell beside it sees to that. They have `/dev/null` as standard input, share the other streams, and are each
/// in a process group of their own, to which signals go.
public final class ProcessSupervisor: Service {
    let command: [String]
    let options: SupervisorOptions
    let claims: ClaimReturn?
    let logger: Logger
    let inbox: SupervisorInbox
    let state: Mutex<SupervisorState>
    let onEvent: @Sendable (SupervisorEvent) -> Void

    /// - Parameters:
    ///   - command: A program, by its path or by a name to be looked up, and its arguments.
    ///   - client: Gives the claims of dead children back, in its database; without it they are taken over when others
    ///     notice. Its connections are not closed here.
    ///   - onEvent: Called with everything that happens, in order, by one task; not to be blocked.
    /// - Throws: ``SupervisorError`` with the codes `invalidOption`, `commandMissing`, `commandNotExecutable`.
    public init(
        _ command: [String], options: SupervisorOptions = SupervisorOptions(), client: AbsurdClient? = nil,
        logger: Logger = Logger(label: "absurd.supervisor"),
        onEvent: @escaping @Sendable (SupervisorEvent) -> Void = { _ in }
    ) throws {
        try options.validate()
        try CommandLookup.check(command.first ?? "")
        self.command = command
        self.options = options
        self.claims = client.map { ClaimReturn(client: $0) }
        self.logger = logger
        self.inbox = SupervisorInbox()
        self.state = Mutex(SupervisorState(options))
        self.onEvent = onEvent
    }

    /// Supervises until shut down, cancelled or killed, or until no child is to be started again.
    ///
    /// For one call. Has this process ignore SIGPIPE, unless the program has seen to that signal itself.
    ///
    /// - Returns: How it came to its end.
    /// - Throws: ``SupervisorError`` with the code `restartLimit`, when the other children have been stopped.
    @discardableResult
    public func supervise() async throws -> SupervisorEnd {
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                // Cancelling this task must not cut off what ends the children.
                try await finishingDespiteCancellation { try await self.work() }
            } onCancel: {
                inbox.put(.stop(grace: min(options.gracePeriod, .seconds(5))))
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// As ``supervise()``, for a service group.
    public func run() async throws { try await supervise() }

    /// Sends the children SIGTERM and ends when they have; those that outlive the grace period are killed.
    public func stop() { inbox.put(.stop(grace: options.gracePeriod)) }

    /// Sends the children that have been told to end SIGTERM once more.
    ///
    /// Those that heed it (``SecondSignal``) end their grace period and give back what they hold.
    public func hurry() { inbox.put(.hurry) }

    /// Ends the children with SIGKILL, and then the supervisor.
    ///
    /// What they held goes back, an attempt spent, if the database answers within a second; else other workers notice
    /// within seconds.
    public func kill() { inbox.put(.kill) }

    /// Replaces the children by new processes of the command, one after the other, as after a deployment.
    ///
    /// Returns at once; see ``SupervisorEvent/rollEnded`` and ``SupervisorEvent/rollFailed(reason:)``.
    public func roll() { inbox.put(.roll) }

    /// Passes a signal on to the children that have been up for ``SupervisorOptions/settleTime``.
    ///
    /// One that has hardly begun may not handle it yet, and would end by it.
    public func forward(_ signal: SupervisorSignal) { inbox.put(.forward(signal)) }

    /// How each child stands.
    public var children: [ChildStatus] { state.withLock(\.snapshot) }
}

/// How a supervisor came to its end.
public enum SupervisorEnd: Sendable {
    /// It was asked to stop.
    case stopped
    /// It was told not to wait for the children.
    case killed
    /// All children have ended with status 0, and are not to be started again.
    case finished
}
