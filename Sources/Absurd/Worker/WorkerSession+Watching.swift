import Logging

extension WorkerSession {
    /// Ends the grace period: handlers that still run after it are stopped.
    func stopAfterGrace() async {
        await lifecycle.reached(.draining)
        // Cancelled when the last handler has ended before.
        guard lifecycle.stage == .draining, (try? await Task.sleep(for: worker.options.shutdownGrace)) != nil
        else {
            return
        }
        if worker.slotTable.usedCount > 0 {
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
        let executions = worker.slotTable.executions
        for (context, _) in executions { context.end(.stopping) }
        await writesAnswered(of: executions.map(\.context), within: .seconds(2))
        writer.stopRetrying()
        await giveBack(executions.map(\.context).filter { $0.phase == .ended(.stopping) }.map(\.run))
    }

    /// Says a little later whose handlers ignore that they were cancelled.
    func logWhoStillRuns() async {
        guard lifecycle.stage == .stopping else { return }
        guard (try? await Task.sleep(for: .seconds(5))) != nil else { return }
        for (context, _) in worker.slotTable.executions {
            context.logger.info("the handler ignores its cancellation and keeps the process from ending")
        }
    }

    /// In a task of its own, which ends with the first of its two parts although the session may be cancelled by then.
    private func writesAnswered(of contexts: [TaskContext], within limit: Duration) async {
        // Nothing in it throws.
        try? await finishingDespiteCancellation {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for context in contexts { await context.writesAnswered() } }
                // Cancelled when the writes are answered first.
                group.addTask { try? await Task.sleep(for: limit) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Asks at a third of the claim timeout whether the claims still stand, and renews those that renew themselves.
    ///
    /// A handler that makes no durable call learns in this way that its task was cancelled or taken over.
    func watchClaims() async {
        let interval = max(worker.options.claimTimeout / 3, .milliseconds(250))
        while (try? await Task.sleep(for: interval)) != nil {
            let now = ContinuousClock.now
            let executions = worker.slotTable.executions.filter { now - $0.since >= interval / 2 }
            guard !executions.isEmpty else { continue }
            let writes = executions.map { context, since in
                RenewWrite(key: context.run.key, claimTimeout: renewal(of: now - since))
            }
            do {
                let answers = try await worker.store.renew(writes, holder: holder, wait: false)
                for ((context, _), answer) in zip(executions, answers) {
                    guard case .refused(let refusal) = answer, let end = ExecutionState.End(refusal) else {
                        continue
                    }
                    context.end(end)
                }
            } catch {
                // A missed look costs nothing: the next one comes, and every write is checked by itself.
                worker.outages.failed(error, observer.logger)
            }
        }
    }

    private func renewal(of age: Duration) -> Int? {
        guard case .automatic(let bound) = worker.options.renewal.kind, age < bound, worker.claimTimeout > 0
        else {
            return nil
        }
        return worker.claimTimeout
    }
}
