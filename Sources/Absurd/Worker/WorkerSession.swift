import LibPQ
import Logging

/// One run of a worker, from its start to its end: the claim loop and what it started.
package final class WorkerSession: Sendable {
    let worker: Worker
    let lifecycle: WorkerLifecycle
    let writer: RunWriter
    let holder: ClaimHolder

    init(worker: Worker, lifecycle: WorkerLifecycle) {
        self.worker = worker
        self.lifecycle = lifecycle
        self.writer = RunWriter(store: worker.store, outages: worker.outages, logger: worker.observer.logger)
        self.holder = ClaimHolder(queue: worker.queue, worker: worker.id)
    }

    /// Claims and executes until the worker is shut down, then returns when the last handler has ended.
    ///
    /// - Throws: An error of the claim that has nothing to do with the database being away. Handlers are stopped and
    ///   their runs given back first.
    func claimAndExecute() async throws {
        let result: Result<Void, any Error> = await withDiscardingTaskGroup { group in
            do {
                try await claimLoop(&group)
                return .success(())
            } catch {
                lifecycle.advance(to: .stopping)
                return .failure(error)
            }
        }
        try result.get()
    }

    private func claimLoop(_ group: inout DiscardingTaskGroup) async throws {
        let options = worker.options
        var backoff = Backoff(base: options.pollInterval, cap: options.maxBackoff)
        var sweeps = SweepTimer()
        while lifecycle.stage == .running {
            let ticket = lifecycle.changes.ticket()
            let limit = min(options.batchSize ?? .max, worker.slotTable.freeCount)
            guard limit > 0 else {
                // A freed slot signals, and so does the end.
                await lifecycle.changes.wait(after: ticket)
                continue
            }
            do {
                let request = ClaimRequest(
                    holder: holder, timeout: worker.claimTimeout, limit: limit, sweeps: sweeps.isDue())
                let runs = try await worker.store.claim(request)
                worker.outages.succeeded(worker.observer.logger)
                backoff.reset()
                guard !runs.isEmpty else {
                    sweeps.workerIsIdle()
                    await lifecycle.changed(after: ticket, within: options.pollInterval)
                    continue
                }
                worker.observer.report(.claimed(count: runs.count))
                await start(runs, in: &group)
            } catch let error as PostgresError where error.sqlState != nil || error.isTransient {
                let pause = backoff.next()
                worker.outages.failed(error, worker.observer.logger)
                worker.observer.report(.claimFailed(error: AbsurdError(error).message, retryIn: pause))
                await pauseClaiming(for: pause)
            }
        }
    }

    /// Waits for the time or the end, whatever slots are freed meanwhile.
    private func pauseClaiming(for pause: Duration) async {
        let end = ContinuousClock.now + pause
        while lifecycle.stage == .running, .now < end {
            let ticket = lifecycle.changes.ticket()
            guard lifecycle.stage == .running else { return }
            await lifecycle.changed(after: ticket, within: end - .now)
        }
    }

    /// Hands each claimed run to a child task; runs that may have checkpoints get them loaded together first.
    private func start(_ runs: [ClaimedRun], in group: inout DiscardingTaskGroup) async {
        for run in runs where !run.isResumed { launch(run, [:], in: &group) }
        let resumed = runs.filter(\.isResumed)
        guard !resumed.isEmpty else { return }
        do {
            let checkpoints = try await writer.loadCheckpoints(
                queue: worker.queue, runs: resumed.map(\.info.runID))
            for run in resumed { launch(run, checkpoints[run.info.runID] ?? [:], in: &group) }
        } catch {
            // Without its checkpoints no run may start; the next claim tries again.
            await giveBack(resumed)
        }
    }

    private func launch(
        _ run: ClaimedRun, _ checkpoints: [String: JSONText?], in group: inout DiscardingTaskGroup
    ) {
        let context = TaskContext(
            run: run, checkpoints: checkpoints, writer: writer, client: worker.client,
            claimTimeout: worker.claimTimeout, logger: worker.observer.logger(for: run.info))
        guard lifecycle.stage == .running, let slot = worker.slotTable.take(for: context) else {
            // The end came while the claim was under way.
            group.addTask { await self.giveBack([run]) }
            return
        }
        worker.observer.metrics.recordSlots(inUse: worker.slotTable.usedCount)
        group.addTask {
            await Execution(session: self, context: context).run()
            self.worker.slotTable.give(back: slot)
            self.worker.observer.metrics.recordSlots(inUse: self.worker.slotTable.usedCount)
            self.lifecycle.changes.signal()
        }
    }

    /// Gives runs back, no attempt spent, claimable by others at once.
    func giveBack(_ runs: [ClaimedRun]) async {
        guard !runs.isEmpty else { return }
        let writes = runs.map { FinishWrite(key: $0.key, action: .release) }
        do {
            let answers = try await finishingDespiteCancellation { [writer, holder] in
                try await writer.finish(writes, holder: holder)
            }
            for (run, answer) in zip(runs, answers) {
                if case .done = answer { worker.observer.report(.released(run.info)) }
            }
        } catch {
            worker.observer.logger.info(
                "runs could not be given back; they are taken over when their claims expire",
                metadata: ["absurd.runs": "\(runs.count)", "error": "\(error)"])
        }
    }
}

/// Sweeping costs two index probes, so a busy worker does it once a second rather than with each claim.
private struct SweepTimer {
    private var last: ContinuousClock.Instant?

    mutating func isDue() -> Bool {
        if let last, ContinuousClock.now - last < .seconds(1) { return false }
        last = .now
        return true
    }

    mutating func workerIsIdle() { last = nil }
}
