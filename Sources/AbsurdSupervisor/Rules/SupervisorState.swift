import Absurd

/// The rules of ``ProcessSupervisor``, without processes and without waiting.
///
/// Events and the time go in, actions come out. What waits for a time is done by ``proceed(_:)``, which is due at
/// ``nextDue``.
struct SupervisorState: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Action: Sendable, Hashable {
        case start(Launch)
        /// To the process and whatever it has started.
        case signal(processID: Int32, SupervisorSignal)
        case report(SupervisorEvent)
    }

    struct Launch: Sendable, Hashable {
        let id: Int
        let child: Int
        let restarts: Int
    }

    enum Outcome: Sendable, Hashable {
        case stopped
        /// Stopped without waiting for the children.
        case killed
        /// All children have ended with status 0, and are not to be started again.
        case finished
        case failed(String)
    }

    /// Why the supervisor ends a process.
    enum Cause: Sendable { case shutdown, group, roll }

    struct Stop: Sendable {
        let cause: Cause
        var killAt: Instant
        let grace: Duration
        var isKilled = false
    }

    struct Process: Sendable {
        let id: Int
        /// Which roll it was started under, or after.
        let epoch: Int
        /// When it became a process, and before that when that was asked for.
        var startedAt: Instant
        var processID: Int32?
        var stop: Stop?
    }

    struct Child: Sendable {
        /// Two while the second is to replace the first.
        var processes: [Process] = []
        var restarts = 0
        var pauses: Backoff
        var startAt: Instant?
        var isFinished = false
        var lastEnd: ProcessEnd?
    }

    /// Children that are started together, when all of them have ended.
    struct Group: Sendable {
        var children: Set<Int>
        var startAt: Instant
    }

    /// A new process that has to stay up before the roll goes on.
    struct RollStep: Sendable {
        let launch: Int
        /// Nil until it is a process, which can take its time on a busy machine.
        var settledAt: Instant?
    }

    let options: SupervisorOptions
    var children: [Child]
    var group: Group?
    var epoch = 0
    var isRolling = false
    var rollStep: RollStep?
    /// What the end will be, once that is settled; there are processes left until ``outcome`` is set.
    var coming: Outcome?
    var outcome: Outcome?
    var ledger: RestartLedger
    private var launches = 0
    private var actions: [Action] = []

    init(_ options: SupervisorOptions) {
        self.options = options
        let child = Child(pauses: Backoff(base: options.restartPause, cap: options.maxRestartPause))
        children = Array(repeating: child, count: options.children)
        ledger = RestartLedger(limit: options.restartLimit, window: options.restartWindow)
    }

    mutating func act(_ action: Action) { actions.append(action) }

    mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    mutating func launch(_ child: Int, at now: Instant) -> Int {
        launches += 1
        children[child].startAt = nil
        children[child].processes.append(Process(id: launches, epoch: epoch, startedAt: now))
        act(.start(Launch(id: launches, child: child, restarts: children[child].restarts)))
        return launches
    }

    /// Where the process of a launch is; nil when it has ended.
    func place(of launch: Int) -> (child: Int, position: Int)? {
        for child in children.indices {
            if let position = children[child].processes.firstIndex(where: { $0.id == launch }) {
                return (child, position)
            }
        }
        return nil
    }

    var processCount: Int { children.reduce(0) { $0 + $1.processes.count } }
}

// MARK: - Events

extension SupervisorState {
    /// The beginning.
    mutating func start(at now: Instant) -> [Action] {
        for child in children.indices where coming == nil { children[child].startAt = now }
        return proceed(now)
    }

    /// A launch has become a process.
    mutating func started(_ launch: Int, processID: Int32, at now: Instant) -> [Action] {
        guard let (child, position) = place(of: launch) else { return [] }
        children[child].processes[position].processID = processID
        children[child].processes[position].startedAt = now
        if rollStep?.launch == launch {
            rollStep = RollStep(launch: launch, settledAt: now + options.settleTime)
        }
        act(.report(.started(child: child, processID: processID)))
        if let stop = children[child].processes[position].stop {
            act(.signal(processID: processID, stop.isKilled ? .kill : .terminate))
        }
        return proceed(now)
    }

    /// Passes a signal on to the children that have been up for the settle time.
    ///
    /// One that has hardly begun handles none yet, and would die of it.
    mutating func forward(_ signal: SupervisorSignal, at now: Instant) -> [Action] {
        for process in children.flatMap(\.processes) where process.startedAt + options.settleTime <= now {
            if let processID = process.processID { act(.signal(processID: processID, signal)) }
        }
        return takeActions()
    }

    /// Does what the time has come for.
    mutating func proceed(_ now: Instant) -> [Action] {
        killOverdue(now)
        if coming == nil {
            startDue(now)
            goOnRolling(now)
            if children.allSatisfy({ $0.isFinished && $0.processes.isEmpty }) { coming = .finished }
        }
        if outcome == nil, let coming, processCount == 0 { outcome = coming }
        return takeActions()
    }

    /// When ``proceed(_:)`` has something to do, if nothing happens before.
    var nextDue: Instant? {
        var times = children.flatMap(\.processes).compactMap { process in
            process.stop.flatMap { $0.isKilled ? nil : $0.killAt }
        }
        guard coming == nil else { return times.min() }
        times += children.compactMap { $0.processes.isEmpty ? $0.startAt : nil }
        if let group, group.children.allSatisfy({ children[$0].processes.isEmpty }) {
            times.append(group.startAt)
        }
        if isRolling, group == nil, let settledAt = rollStep?.settledAt { times.append(settledAt) }
        return times.min()
    }

    private mutating func startDue(_ now: Instant) {
        if let group, group.startAt <= now, group.children.allSatisfy({ children[$0].processes.isEmpty }) {
            self.group = nil
            for child in group.children.sorted() { _ = launch(child, at: now) }
        }
        for child in children.indices {
            guard let due = children[child].startAt, due <= now, children[child].processes.isEmpty else {
                continue
            }
            _ = launch(child, at: now)
        }
    }
}
