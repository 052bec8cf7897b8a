import Absurd
import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a ``ProcessSupervisor`` has to be told.
enum SupervisorMessage: Sendable {
    case started(launch: Int, processID: Int32)
    case ended(launch: Int, ProcessEnd)
    case stop(grace: Duration)
    case hurry
    case kill
    case roll
    case forward(SupervisorSignal)
    /// What another task has seen, to be told in its turn.
    case report(SupervisorEvent)
}

/// Where messages wait for the loop.
final class SupervisorInbox: Sendable {
    private let messages = Mutex<[SupervisorMessage]>([])
    let changes = ChangeSignal()

    func put(_ message: SupervisorMessage) {
        messages.withLock { $0.append(message) }
        changes.signal()
    }

    func takeAll() -> [SupervisorMessage] {
        messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }
}

extension ProcessSupervisor {
    func work() async throws -> SupervisorEnd {
        ignoreBrokenPipes()
        let watchdog = Watchdog(grace: options.gracePeriod) { [self] reason in
            inbox.put(.report(.watchdogLost(reason: reason)))
        }
        let outcome = await withTaskGroup(of: Void.self) { group in
            group.addTask { await watchdog.run() }
            let outcome = await withDiscardingTaskGroup { await self.loop(&$0, watchdog) }
            watchdog.finish()
            return outcome
        }
        // What the last children's claims came to.
        for case .report(let event) in inbox.takeAll() { report(event) }
        switch outcome {
        case .stopped: return .stopped
        case .killed: return .killed
        case .finished: return .finished
        case .failed(let reason): throw SupervisorError(.restartLimit, reason)
        }
    }

    private func loop(
        _ group: inout DiscardingTaskGroup, _ watchdog: Watchdog
    ) async -> SupervisorState.Outcome {
        perform(state.withLock { $0.start(at: .now) }, in: &group, watchdog)
        while true {
            let (outcome, due) = state.withLock { ($0.outcome, $0.nextDue) }
            if let outcome { return outcome }
            let ticket = inbox.changes.ticket()
            let messages = inbox.takeAll()
            for message in messages {
                perform(state.withLock { $0.receive(message, at: .now) }, in: &group, watchdog)
            }
            guard messages.isEmpty else { continue }
            if let due {
                if due > .now { await inbox.changes.wait(after: ticket, within: due - .now) }
                perform(state.withLock { $0.proceed(.now) }, in: &group, watchdog)
            } else {
                await inbox.changes.wait(after: ticket)
            }
        }
    }

    private func perform(
        _ actions: [SupervisorState.Action], in group: inout DiscardingTaskGroup, _ watchdog: Watchdog
    ) {
        for action in actions {
            switch action {
            case .report(let event): report(event)
            case .signal(let processID, let signal): signal.send(toGroup: processID)
            case .start(let launch): group.addTask { await self.run(launch, watchdog) }
            }
        }
    }

    /// One process, from its start to the return of what it had claimed.
    private func run(_ launch: SupervisorState.Launch, _ watchdog: Watchdog) async {
        // By which the registry of workers knows this start of the program.
        let process = WorkerIdentity.unique()
        var environment = options.environment
        environment["ABSURD_PROCESS"] = process
        environment["ABSURD_SUPERVISOR_CHILD"] = String(launch.child)
        environment["ABSURD_WORKER_RESTARTS"] = String(launch.restarts)
        let started = Mutex<Int32?>(nil)
        let end = await ChildProcess(words: command, environment: environment).run { processID in
            await watchdog.add(processID)
            started.withLock { $0 = processID }
            self.inbox.put(.started(launch: launch.id, processID: processID))
        }
        let processID = started.withLock(\.self)
        if let processID { watchdog.drop(processID) }
        inbox.put(.ended(launch: launch.id, end))
        // Whatever its status: a handler may have called `exit`.
        if let processID { await giveBackClaims(of: process, launch.child, processID) }
    }

    private func giveBackClaims(of process: String, _ child: Int, _ processID: Int32) async {
        guard let claims else { return }
        do {
            let runs = try await claims.giveBack(of: process) { self.claimPatience }
            if runs > 0 {
                inbox.put(.report(.claimsGivenBack(child: child, processID: processID, runs: runs)))
            }
        } catch {
            let reason = String(describing: error)
            inbox.put(
                .report(.claimsNotGivenBack(child: child, processID: processID, reason: reason)))
        }
    }

    /// How long giving claims back may take: meanwhile others notice, and who wants to end is not to wait for a database.
    private var claimPatience: Duration {
        switch state.withLock(\.coming) {
        case nil: .seconds(10)
        case .killed: .seconds(1)
        case .stopped, .finished, .failed: .seconds(2)
        }
    }

    func report(_ event: SupervisorEvent) {
        logger.info("\(event)")
        onEvent(event)
    }

    /// Writing to a shell that has just died must not end this process.
    private func ignoreBrokenPipes() {
        var action = sigaction()
        guard sigaction(SIGPIPE, nil, &action) == 0 else { return }
        #if canImport(Darwin)
        let isDefault = action.__sigaction_u.__sa_handler == nil
        #else
        let isDefault = action.__sigaction_handler.sa_handler == nil
        #endif
        if isDefault { signal(SIGPIPE, SIG_IGN) }
    }
}

extension SupervisorState {
    mutating func receive(_ message: SupervisorMessage, at now: Instant) -> [Action] {
        switch message {
        case .started(let launch, let processID): started(launch, processID: processID, at: now)
        case .ended(let launch, let end): ended(launch, end, at: now)
        case .stop(let grace): stop(within: grace, at: now)
        case .hurry: hurry()
        case .kill: kill(at: now)
        case .roll: roll(at: now)
        case .forward(let signal): forward(signal, at: now)
        case .report(let event): [.report(event)]
        }
    }
}
