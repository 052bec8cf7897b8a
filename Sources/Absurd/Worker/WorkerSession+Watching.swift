import LibPQ
import Logging
import Synchronization

extension WorkerSession {
    /// Ends the grace period: handlers that still run after it are stopped.
    func stopAfterGrace() async {
        await lifecycle.reached(.draining)
        // Cancelled when the last handler has ended before.
        guard lifecycle.stage == .draining, (try? await Task.sleep(for: worker.options.shutdownGrace)) != nil
        else {
            return
        }
        if !worker.slotTable.executions.isEmpty {
            observer.logger.info(
                "grace period over, cancelling handlers",
                metadata: ["absurd.runs": "\(worker.slotTable.usedCount)"])
        }
        lifecycle.advance(to: .stopping)
    }

    /// When the worker stops: cancels all handlers, gives their runs back in one statement, and says who still runs.
    ///
    /// Executions are marked first, so that nothing a cancelled handler does counts as a failure. A write that is
    /// under way is waited for, since its step has happened; a bounded time, since the database may be gone.
    func giveBackWhenStopping() async {
        await lifecycle.reached(.stopping)
        guard lifecycle.stage == .stopping else { return }
        worker.client.executions.poke()
        let contexts = underWay
        for context in contexts { context.end(.stopping) }
        await writesAnswered(of: contexts, within: .seconds(2))
        writer.stopRetrying()
        // Handlers wait for their writes, which would wait for a silent database until they have timed out.
        let isSilent = contexts.contains { !$0.areWritesAnswered } && writer.busySince != nil
        if isSilent { await worker.client.pool.abandon(sentBefore: .now) }
        await giveBack(contexts.filter { $0.phase == .ended(.stopping) }.map(\.run))
    }

    /// In a task of its own, which ends with the first of its parts although the session may be cancelled by then.
    private func writesAnswered(of contexts: [TaskContext], within limit: Duration) async {
        // Nothing in it throws.
        try? await finishingDespiteCancellation { [writer] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for context in contexts { await context.writesAnswered() } }
                group.addTask {
                    await writer.settled()
                    // When handlers do not get to know their answers by then, others keep their threads.
                    try? await Task.sleep(for: .milliseconds(250))
                }
                // Cancelled when one of the others comes first.
                group.addTask { try? await Task.sleep(for: limit) }
                await group.next()
                group.cancelAll()
            }
        }
    }
}

// MARK: - The end while the database is silent

extension WorkerSession {
    /// Claims; none when the claim was broken off because the worker is to end.
    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] {
        do {
            return try await claiming.during {
                await Result.catching { try await worker.store.claim(request) }
            }.get()
        } catch let error as PostgresError where error.code == .cancelled {
            doubtClaim(after: error)
            return []
        }
    }

    /// Sees to it that the worker comes to its end although the database does not answer: breaks off the claim, and
    /// after the last handler whatever else is without an answer.
    ///
    /// Runs that such a claim has taken all the same are found by the others, as those of a worker that died.
    func breakOffAtEnd() async {
        await lifecycle.asked(for: .draining)
        var start = ContinuousClock.now
        while (try? await Task.sleep(for: .milliseconds(250))) != nil {
            // Handlers may still record in their grace period, so nothing is broken off then.
            let hasGrace = lifecycle.stage < .stopping && !worker.slotTable.executions.isEmpty
            if hasGrace { start = .now }
            guard .now - start >= WorkerLifecycle.patience else { continue }
            claiming.cancel()
            if isOver.load(ordering: .relaxed) {
                await worker.client.pool.abandon(sentBefore: .now - .seconds(2))
            }
        }
    }
}

extension Result where Failure == any Error {
    static func catching(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
