import LibPQ

extension WorkerPool {
    /// How the pool stands, from what its parts have noted down: nothing is sent, nobody is waited for.
    ///
    /// Within ten seconds it shows when the claim loop, the looks for work, the writer or the connections are blocked, or
    /// the database is away. While no connection listens idle workers look only each ``WorkerOptions/pollInterval``, and
    /// are given four seconds more than that. Asked from a thread of its own (that of an HTTP server, say) it also shows when Swift's shared threads are
    /// blocked; asked from a task, there is no answer then.
    public var health: PoolHealth { health(at: .now) }

    package func health(at now: ContinuousClock.Instant, asking extra: [HealthProblem] = []) -> PoolHealth {
        let facts = healthFacts
        return PoolHealth(
            queue: queue, problems: facts.problems(at: now) + extra, isLive: facts.isLive(at: now),
            workers: zip(workers, restarts).map { worker, restarts in
                let (phase, since) = worker.pulse.phase
                return WorkerHealth(
                    id: worker.id, phase: phase, duration: max(now - since, .zero),
                    slotsUsed: worker.slotTable.usedCount,
                    slotCount: worker.options.concurrency, restarts: restarts.count)
            })
    }

    /// The same, after asking the database one question, which may take that long, and a day at most.
    ///
    /// For a probe that shall not be ready while the database is away and all handlers compute, so that nothing else
    /// would be noticed.
    public func checkHealth(within limit: Duration = .seconds(2)) async -> PoolHealth {
        let limit = min(max(limit, .zero), .days(1))
        let problem: HealthProblem? = await withTaskGroup(of: HealthProblem?.self) { [client] group in
            group.addTask {
                do {
                    _ = try await client.query("select 1")
                    return nil
                } catch {
                    return HealthProblem(.databaseUnreachable, String(describing: error))
                }
            }
            group.addTask {
                // Cancelled when the answer comes first.
                guard (try? await Task.sleep(for: limit)) != nil else { return nil }
                return HealthProblem(
                    .databaseUnreachable, "the database has not answered a question within \(limit)")
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        return health(at: .now, asking: problem.map { [$0] } ?? [])
    }

    private var healthFacts: HealthFacts {
        var facts = HealthFacts()
        facts.lastBeat = heart.lastBeat
        facts.handlersWaitingSince = HandlerThreads.shared.waitingSince
        let watch = client.wakeUps.watched(queue).watch
        facts.lastLook = watch.lastTurn
        facts.lookInterval = watch.lookInterval
        facts.claimBound = client.pool.longestAnswer
        facts.workers = zip(workers, restarts).map { worker, restarts in
            let (phase, since) = worker.pulse.phase
            var facts = HealthFacts.Worker(id: worker.id, phase: phase, since: since)
            facts.outage = worker.outages.current
            facts.tryingSince = worker.pulse.tryingSince
            facts.writingSince = worker.pulse.writer?.busySince
            facts.lastError = restarts.lastError
            return facts
        }
        let counts = client.pool.counts
        facts.connections.inUse = counts.inUse
        facts.connections.waiting = counts.waiting
        let trouble = client.pool.trouble
        facts.connections.waitingSince = trouble.waitingSince
        facts.connections.failure = trouble.failure.map { AbsurdError($0).message }
        return facts
    }
}
