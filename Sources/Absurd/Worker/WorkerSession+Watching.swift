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
        let contexts = underWay
        for context in contexts { context.end(.stopping) }
        await writesAnswered(of: contexts, within: .seconds(2))
        writer.stopRetrying()
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
