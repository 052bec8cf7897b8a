/// How workers claim and execute runs.
public struct WorkerOptions: Sendable {
    /// Who keeps a claim alive.
    public struct Renewal: Sendable, Hashable {
        package enum Kind: Hashable { case onCheckpoint, automatic(upTo: Duration) }
        package let kind: Kind

        /// Each recorded step and each ``TaskContext/heartbeat(for:)`` does.
        ///
        /// A handler that does neither for as long as the claim timeout is taken over, which is the safety
        /// net for handlers that hang.
        public static let onCheckpoint = Renewal(kind: .onCheckpoint)

        /// The worker does, for handlers that do one long thing, until the execution has lasted `bound`.
        ///
        /// At least ``WorkerOptions/claimTimeout``.
        public static func automatic(upTo bound: Duration) -> Renewal {
            Renewal(kind: .automatic(upTo: bound))
        }
    }

    /// How many claim loops a pool has, each supervised on its own.
    ///
    /// More of them isolate faults from one another; for speed raise ``concurrency``. From 1 to 1,000.
    /// Defaults to 1.
    public var workers = 1

    /// How many handlers each worker executes at once.
    ///
    /// From 1 to 100,000. Defaults to 10.
    public var concurrency = 10

    /// How many runs one claim takes at most; never more than there are free slots.
    ///
    /// From 1 to 10,000. Nil, the default, means as many as there are.
    public var batchSize: Int?

    /// How long a claim lasts before another worker may take the run over.
    ///
    /// Whole seconds, rounded up, from one to 365 days.
    ///
    /// A shorter claim recovers sooner from a crash and asks handlers to report more often. Defaults to 30 seconds.
    public var claimTimeout: Duration = .seconds(30)

    /// Who keeps a claim alive while its handler executes.
    ///
    /// Defaults to ``Renewal/onCheckpoint``.
    public var renewal = Renewal.onCheckpoint

    /// How long idle workers wait before one of them asks for work, while they are not told of it.
    ///
    /// They are told where ``AbsurdConfiguration/listens`` is on and its connection stands; then the queue is looked at
    /// every five seconds only. Also the first pause after a claim that failed, see ``maxBackoff``.
    ///
    /// From one millisecond to 365 days. Defaults to 250 ms.
    public var pollInterval: Duration = .milliseconds(250)

    /// The longest pause between claims that the database refuses; the pauses start at the poll interval and double.
    ///
    /// While it is out of reach, starting, full or read-only, or others hold what a claim needs, pauses are no longer than a
    /// second, also when the poll interval is longer.
    ///
    /// Not shorter than the poll interval, at most 365 days. Defaults to 60 seconds.
    public var maxBackoff: Duration = .seconds(60)

    /// How long running handlers may go on after graceful shutdown starts.
    ///
    /// Then they are cancelled and their runs given back, no attempt spent. From zero to 365 days. Defaults to
    /// 20 seconds.
    public var shutdownGrace: Duration = .seconds(20)

    /// How long handlers that were cancelled may take to end when the worker stops.
    ///
    /// Their runs have been given back by then, and nothing that they record counts any more. The worker ends without
    /// those that still execute, says so in the log, and leaves them to the end of the process. From zero to 365 days.
    /// Defaults to 3 seconds.
    public var cancellationGrace: Duration = .seconds(3)

    /// The base of the worker ids, to which each start of a worker adds a random part.
    ///
    /// Nil, the default, makes one of host name and process id. 1 to 200 bytes without NUL.
    public var workerID: String?

    /// What the list of workers shows as their version, such as that of your build.
    ///
    /// Nil, the default, shows the version of this library. 1 to 200 bytes without NUL.
    public var version: String?

    /// More restarts than this within ``restartWindow`` end a pool with an error.
    ///
    /// Not negative. Defaults to 10.
    public var maxRestarts = 10

    /// See ``maxRestarts``.
    ///
    /// Longer than zero, at most 365 days. Defaults to 60 seconds.
    public var restartWindow: Duration = .seconds(60)

    public init() {}
}

extension WorkerOptions {
    /// - Throws: ``AbsurdError`` with the code `invalidConfiguration` that names the option, its rule and its value.
    package func validate() throws {
        func require(_ holds: Bool, _ name: String, _ rule: String, _ value: Any) throws {
            guard !holds else { return }
            throw AbsurdError(
                .invalidConfiguration, "the worker option \(name) must be \(rule), and is \(value)")
        }
        try require((1...1000).contains(workers), "workers", "from 1 to 1000", workers)
        try require((1...100_000).contains(concurrency), "concurrency", "from 1 to 100000", concurrency)
        if let batchSize {
            try require((1...10_000).contains(batchSize), "batchSize", "from 1 to 10000", batchSize)
        }
        // Durations far beyond it cannot be added to an instant, and trap.
        let longest = Duration.days(365)
        try require(
            claimTimeout >= .seconds(1) && claimTimeout <= longest, "claimTimeout",
            "from 1 second to 365 days", claimTimeout)
        if case .automatic(let bound) = renewal.kind {
            try require(bound >= claimTimeout, "renewal", "automatic up to at least the claim timeout", bound)
        }
        try require(
            pollInterval >= .milliseconds(1) && pollInterval <= longest, "pollInterval",
            "from 1 millisecond to 365 days", pollInterval)
        try require(
            maxBackoff >= pollInterval && maxBackoff <= longest, "maxBackoff",
            "from the poll interval to 365 days", maxBackoff)
        try require(
            shutdownGrace >= .zero && shutdownGrace <= longest, "shutdownGrace", "from zero to 365 days",
            shutdownGrace)
        try require(
            cancellationGrace >= .zero && cancellationGrace <= longest, "cancellationGrace",
            "from zero to 365 days", cancellationGrace)
        if let workerID {
            try require(isWorkerID(workerID), "workerID", workerIDRule, "'\(workerID.prefix(40))'")
        }
        if let version {
            try require(isWorkerID(version), "version", workerIDRule, "'\(version.prefix(40))'")
        }
        try require(maxRestarts >= 0, "maxRestarts", "zero or more", maxRestarts)
        try require(
            restartWindow > .zero && restartWindow <= longest, "restartWindow",
            "longer than zero, at most 365 days", restartWindow)
    }
}
