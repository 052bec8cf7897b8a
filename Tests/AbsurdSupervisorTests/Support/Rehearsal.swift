@testable import AbsurdSupervisor

/// The rules of a supervisor with a clock to move and children that do as the test says.
struct Rehearsal {
    typealias Action = SupervisorState.Action

    private(set) var state: SupervisorState
    private(set) var now: ContinuousClock.Instant
    /// What happened since the test last looked.
    private(set) var events: [SupervisorEvent] = []
    private(set) var signals: [String] = []
    private var waiting: [SupervisorState.Launch] = []
    private var launches: [Int32: Int] = [:]
    private var lastProcess: Int32 = 100

    init(_ change: (inout SupervisorOptions) -> Void = { _ in }) {
        var options = SupervisorOptions()
        // No smaller than needed to tell pauses from no pause.
        options.restartPause = .seconds(1)
        options.maxRestartPause = .seconds(8)
        change(&options)
        state = SupervisorState(options)
        now = .now
        let actions = state.start(at: now)
        take(actions)
    }

    /// Has the launches that are asked for become processes, numbered from 101 on.
    mutating func begin() {
        while !waiting.isEmpty {
            let launch = waiting.removeFirst()
            lastProcess += 1
            launches[lastProcess] = launch.id
            let actions = state.started(launch.id, processID: lastProcess, at: now)
            take(actions)
        }
    }

    mutating func end(_ process: Int32, _ end: ProcessEnd = .exited(status: 1)) {
        guard let launch = launches.removeValue(forKey: process) else { return }
        let actions = state.ended(launch, end, at: now)
        take(actions)
    }

    /// A launch that never becomes a process.
    mutating func failToStart(_ reason: String) {
        let launch = waiting.removeFirst()
        let actions = state.ended(launch.id, .notStarted(reason), at: now)
        take(actions)
    }

    /// Moves the clock, with everything that is due on the way.
    mutating func pass(_ time: Duration) {
        let end = now + time
        while let due = state.nextDue, due <= end {
            now = max(now, due)
            let actions = state.proceed(now)
            take(actions)
            begin()
        }
        now = end
        let actions = state.proceed(now)
        take(actions)
        begin()
    }

    /// Moves the clock while launches do not become processes.
    mutating func wait(_ time: Duration) {
        now += time
        let actions = state.proceed(now)
        take(actions)
    }

    mutating func tell(_ message: SupervisorMessage) {
        let actions = state.receive(message, at: now)
        take(actions)
    }

    /// The processes that run, in order of the children.
    var processes: [[Int32]] { state.children.map { $0.processes.compactMap(\.processID) } }
    var waitingLaunches: Int { waiting.count }

    mutating func takeEvents() -> [SupervisorEvent] {
        defer { events = [] }
        return events
    }

    mutating func takeSignals() -> [String] {
        defer { signals = [] }
        return signals
    }

    private mutating func take(_ actions: [Action]) {
        for action in actions {
            switch action {
            case .start(let launch): waiting.append(launch)
            case .signal(let process, let signal): signals.append("\(signal) \(process)")
            case .report(let event): events.append(event)
            }
        }
    }
}
