/// What the parts of a pool have noted down, and what follows from it for its health.
///
/// A pure value: time is passed in.
package struct HealthFacts: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package struct Outage: Sendable, Hashable {
        package enum Kind: Sendable { case silence, refusal, lock }

        package var since: Instant
        package var message: String
        package var kind: Kind

        package init(since: Instant, message: String, kind: Kind) {
            self.since = since
            self.message = message
            self.kind = kind
        }
    }

    package struct Worker: Sendable {
        package var id: String
        package var phase: WorkerHealth.Phase
        package var since: Instant
        package var outage: Outage?
        /// Since when it tries to claim and no claim has succeeded, whatever else gets through.
        package var tryingSince: Instant?
        /// Since when the oldest statement that records something is under way.
        package var writingSince: Instant?
        /// The error of the last unexpected end.
        package var lastError: String?

        package init(id: String, phase: WorkerHealth.Phase, since: Instant) {
            self.id = id
            self.phase = phase
            self.since = since
        }
    }

    package struct Connections: Sendable {
        package var inUse = 0
        package var waiting = 0
        /// Since when the first of the waiting callers waits.
        package var waitingSince: Instant?
        /// Why no connection can be made; nil while there is no trouble.
        package var failure: String?

        package init() {}
    }

    package var workers: [Worker] = []
    package var connections = Connections()
    /// When the pool's heart last beat; nil when the pool does not run.
    package var lastBeat: Instant?
    /// Since when the first of the handlers that have no thread to go on waits for one.
    package var handlersWaitingSince: Instant?
    /// When somebody last looked for work on behalf of idle workers.
    package var lastLook: Instant?
    /// How long idle workers may go without a look.
    package var lookInterval = Duration.seconds(5)
    /// How long a claim can take at most before it fails.
    package var claimBound = Duration.seconds(60)

    package init() {}

    /// How long something may take before it is called blocked: with the time between two looks, below ten seconds.
    package static let patience = Duration.seconds(8)
    /// How late the heart, which beats each second, may be.
    package static let beatPatience = Duration.seconds(5)
    /// An outage shorter than this is a hiccup.
    package static let outagePatience = Duration.seconds(2)
    /// How late a look may be.
    package static let lookPatience = Duration.seconds(4)
}

extension HealthFacts {
    package func isLive(at now: Instant) -> Bool {
        guard let lastBeat, now - lastBeat < Self.beatPatience else { return false }
        return workers.allSatisfy { worker in
            // A database that does not answer ends a claim with an error, so that this one hangs.
            guard worker.phase == .claiming || worker.phase == .loading else { return true }
            return now - worker.since < claimBound + Self.patience
        }
    }

    /// What is wrong, the gravest first.
    package func problems(at now: Instant) -> [HealthProblem] {
        guard let lastBeat else { return [HealthProblem(.notRunning, "the pool is not running")] }
        var problems: [HealthProblem] = []
        if now - lastBeat >= Self.beatPatience {
            problems.append(
                HealthProblem(
                    .threadsBlocked,
                    "Swift's shared threads have not got to the pool for \((now - lastBeat).wholeSecondsText): something that "
                        + "computes or blocks without a pause keeps them"))
        }
        if let since = handlersWaitingSince, now - since >= Self.beatPatience {
            problems.append(
                HealthProblem(
                    .handlersBlocked,
                    "handlers have waited \((now - since).wholeSecondsText) for a thread to go on: others compute or block "
                        + "without a pause"))
        }
        for worker in workers { problems += self.problems(of: worker, now) }
        problems += connectionProblems(now)
        return problems.sorted { $0.code.gravity < $1.code.gravity }
    }

    private func problems(of worker: Worker, _ now: Instant) -> [HealthProblem] {
        var problems: [HealthProblem] = []
        func add(_ code: HealthProblem.Code, _ message: String) {
            problems.append(HealthProblem(code, "worker \(worker.id): \(message)", workerID: worker.id))
        }
        let time = now - worker.since
        switch worker.phase {
        case .claiming where time >= Self.patience:
            add(.claimBlocked, "a claim has got no answer for \(time.wholeSecondsText)")
        case .loading where time >= Self.patience:
            add(.claimBlocked, "recorded steps have been loading for \(time.wholeSecondsText)")
        case .starting where time >= Self.patience && worker.outage == nil:
            add(
                .claimBlocked,
                "the database has not said for \(time.wholeSecondsText) whether it can serve it")
        case .idle:
            let quiet = now - max(worker.since, lastLook ?? worker.since)
            if quiet >= lookInterval + Self.lookPatience {
                add(
                    .wakeUpsBlocked,
                    "it is idle, and nobody has looked for work for \(quiet.wholeSecondsText)")
            }
        case .restarting:
            add(.workerRestarting, "it is started again after: \(worker.lastError ?? "an error")")
        case .ended where time >= Self.patience && workers.contains { $0.phase.isAtWork }:
            // In a shutdown all end, each in its time.
            add(.notRunning, "it has ended, and others have not")
        case .claiming, .loading, .pausing:
            if let problem = claimless(worker, now) { add(.claimBlocked, problem) }
        default: break
        }
        if let since = worker.writingSince, now - since >= Self.patience {
            add(
                .writerBlocked,
                "what its handlers record has got no answer for \((now - since).wholeSecondsText)")
        }
        if let outage = worker.outage, now - outage.since >= Self.outagePatience {
            add(outage.kind.problem, outage.message)
        }
        return problems
    }

    /// An outage that lasts speaks for itself; one that the writer ends again and again does not last.
    private func claimless(_ worker: Worker, _ now: Instant) -> String? {
        guard let since = worker.tryingSince, now - since >= Self.patience else { return nil }
        if let outage = worker.outage, now - outage.since >= Self.outagePatience { return nil }
        let reason = worker.outage.map { ": \($0.message)" } ?? ""
        return "no claim has succeeded for \((now - since).wholeSecondsText)\(reason)"
    }

    private func connectionProblems(_ now: Instant) -> [HealthProblem] {
        guard let since = connections.waitingSince, now - since >= Self.patience else { return [] }
        let waiting = (now - since).wholeSecondsText
        if let failure = connections.failure {
            return [
                HealthProblem(.databaseUnreachable, "no connection can be made for \(waiting): \(failure)")
            ]
        }
        return [
            HealthProblem(
                .connectionsExhausted,
                "\(connections.inUse) connections are in use; callers waiting: \(connections.waiting), the first for "
                    + "\(waiting); raise maxConnections, or shorten transactions")
        ]
    }
}

extension HealthFacts.Outage.Kind {
    fileprivate var problem: HealthProblem.Code {
        switch self {
        case .silence: .databaseUnreachable
        case .refusal: .databaseRefuses
        case .lock: .claimBlocked
        }
    }
}

extension HealthProblem.Code {
    fileprivate var gravity: Int { Self.allCases.firstIndex(of: self) ?? .max }
}

extension Duration {
    fileprivate var wholeSecondsText: String { "\(components.seconds) s" }
}
