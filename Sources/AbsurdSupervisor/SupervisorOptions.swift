/// How many processes a supervisor keeps alive, and what it does when one ends.
public struct SupervisorOptions: Sendable {
    /// Which children are started again when one has ended.
    public struct Strategy: Sendable, Hashable {
        package enum Kind: String { case oneForOne, all, restForOne }
        package let kind: Kind

        /// The one that ended.
        public static let oneForOne = Strategy(kind: .oneForOne)
        /// All: the others are stopped first.
        public static let all = Strategy(kind: .all)
        /// The one that ended and those of higher numbers, which are stopped first.
        public static let restForOne = Strategy(kind: .restForOne)
    }

    /// After which ends a child is started again.
    public struct Restart: Sendable, Hashable {
        package enum Kind: String { case always, onFailure }
        package let kind: Kind

        /// After every end that the supervisor has not asked for.
        public static let always = Restart(kind: .always)
        /// Not after exit status 0; the supervisor ends when all children have ended with it.
        public static let onFailure = Restart(kind: .onFailure)
    }

    /// How ``ProcessSupervisor/roll()`` replaces a child.
    public struct Roll: Sendable, Hashable {
        package enum Kind: String { case startFirst, stopFirst }
        package let kind: Kind

        /// The new process is started first, and the old one stopped once the new one has been up for
        /// ``SupervisorOptions/settleTime``.
        ///
        /// One process more exists meanwhile. A new one that does not stay up leaves the old one in place.
        public static let startFirst = Roll(kind: .startFirst)
        /// The old process is stopped first, for programs of which two cannot run side by side.
        public static let stopFirst = Roll(kind: .stopFirst)
    }

    /// How many processes to keep alive.
    ///
    /// From 1 to 1,000. Defaults to 1.
    public var children = 1

    /// Defaults to ``Strategy/oneForOne``.
    public var strategy = Strategy.oneForOne

    /// Defaults to ``Restart/always``.
    public var restart = Restart.always

    /// Defaults to ``Roll/startFirst``.
    public var roll = Roll.startFirst

    /// The longest pause before a child's first restart; pauses double with each further one, and are shortened at
    /// random by up to half.
    ///
    /// They start afresh for a child that was up for longer than ``restartWindow``. From one millisecond to 365 days.
    /// Defaults to 100 ms.
    public var restartPause: Duration = .milliseconds(100)

    /// The longest pause before a restart.
    ///
    /// Not shorter than ``restartPause``, at most 365 days. Defaults to 10 seconds.
    public var maxRestartPause: Duration = .seconds(10)

    /// More restarts than this within ``restartWindow``, of all children together, end the supervisor with an error.
    ///
    /// Tasks that kill their process do so in each of their attempts, wherever these execute, so the limit grows with
    /// the number of children. Not negative. Nil, the default, means 10 and 10 more for each child.
    public var maxRestarts: Int?

    var restartLimit: Int { maxRestarts ?? 10 + 10 * children }

    /// See ``maxRestarts``.
    ///
    /// Longer than zero, at most 365 days. Defaults to 60 seconds.
    public var restartWindow: Duration = .seconds(60)

    /// How long a child that was sent SIGTERM may take before it is sent SIGKILL.
    ///
    /// Longer than the `shutdownGrace` of its workers. From zero to 365 days. Defaults to 25 seconds.
    public var gracePeriod: Duration = .seconds(25)

    /// How long a new process has to be up before a roll goes on.
    ///
    /// From zero to 365 days. Defaults to 5 seconds.
    public var settleTime: Duration = .seconds(5)

    /// Variables for the children, beside those of this process.
    ///
    /// These are always set: `ABSURD_SUPERVISOR_CHILD`, the number of the child from 0; `ABSURD_WORKER_RESTARTS`, how
    /// often it was started again; and `ABSURD_PROCESS`, an id of this start, under which its workers register.
    public var environment: [String: String] = [:]

    public init() {}
}

extension SupervisorOptions {
    /// - Throws: ``SupervisorError`` with the code `invalidOption` that names the option, its rule and its value.
    func validate() throws {
        func require(_ holds: Bool, _ name: String, _ rule: String, _ value: Any) throws {
            guard !holds else { return }
            throw SupervisorError(
                .invalidOption, "the supervisor option \(name) must be \(rule), and is \(value)")
        }
        // Durations far beyond it cannot be added to an instant, and trap.
        let longest = Duration.seconds(365 * 86_400)
        try require((1...1000).contains(children), "children", "from 1 to 1000", children)
        try require(
            restartPause >= .milliseconds(1) && restartPause <= longest, "restartPause",
            "from 1 millisecond to 365 days", restartPause)
        try require(
            maxRestartPause >= restartPause && maxRestartPause <= longest, "maxRestartPause",
            "from restartPause to 365 days", maxRestartPause)
        try require(restartLimit >= 0, "maxRestarts", "zero or more", restartLimit)
        try require(
            restartWindow > .zero && restartWindow <= longest, "restartWindow",
            "longer than zero, at most 365 days", restartWindow)
        for (name, value) in [("gracePeriod", gracePeriod), ("settleTime", settleTime)] {
            try require(value >= .zero && value <= longest, name, "from zero to 365 days", value)
        }
    }
}
