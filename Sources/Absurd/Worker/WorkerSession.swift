import LibPQ
import Logging
import Synchronization

/// One run of a worker, from its start to its end: the claim loop and what it started.
package final class WorkerSession: Sendable {
    let worker: Worker
    let lifecycle: WorkerLifecycle
    let writer: RunWriter
    let holder: ClaimHolder
    /// Whether the worker is in the registry under the holder's id.
    let isRegistered: Bool
    let observer: WorkerObserver
    /// Whether executions make spans; what the program set up when the session began.
    let isTracing = TracingHeaders.isTracing
    let watched: WakeUps.Watched
    let executions = LeavableTasks()
    /// Which life of the worker this is.
    let life: Int
    /// The claim under way.
    let claiming = HandlerTask()
    /// Whether the last handler has ended, and whether the database did not answer what gives runs back.
    let isOver = Atomic<Bool>(false)
    let isUnanswered = Atomic<Bool>(false)
    private let idling = Mutex(Idling())
    /// Whether claims may have left runs that this worker does not know of.
    let doubt = Mutex(ClaimDoubt())
    /// The statements of this client that claim for this worker, what they have claimed, and how they do it.
    let claimsBeside = LeavableTasks()
    let claimedRuns = ClaimedRuns()
    let besideHabit = Mutex(BesideHabit())

    /// Where this worker waits while it has nothing to do.
    private struct Idling {
        var seat: Seat<ClaimPermit?>?
        var isOver = false
    }

    init(worker: Worker, lifecycle: WorkerLifecycle, holder: ClaimHolder, isRegistered: Bool) {
        self.worker = worker
        self.lifecycle = lifecycle
        self.life = lifecycle.life
        self.holder = holder
        self.isRegistered = isRegistered
        self.observer = worker.observer.naming(holder.worker)
        self.writer = RunWriter(
            store: worker.store, holder: holder, outages: worker.outages, logger: observer.logger,
            // Once for all slots that a statement has freed, so that the next claim fills them together.
            afterFinishes: { [room = worker.room] in room.signal() })
        self.watched = worker.client.wakeUps.watched(worker.queue)
    }

    /// Claims and executes until the worker is shut down, then returns when the last handler has ended, or those that are
    /// left have ignored their cancellation for ``WorkerOptions/cancellationGrace``.
    ///
    /// - Throws: An error of the claim that has nothing to do with the database being away. Handlers are stopped and
    ///   their runs given back first.
    func claimAndExecute() async throws {
        let result: Result<Void, any Error>
        do {
            try await claimLoop()
            result = .success(())
        } catch {
            lifecycle.advance(to: .stopping)
            result = .failure(error)
        }
        worker.pulse.enter(.draining)
        // This task is cancelled by now if the last claim had to be broken off. Nothing in it throws.
        try? await finishingDespiteCancellation { await self.executionsEnded() }
        try result.get()
    }

    private func executionsEnded() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.executions.ended() }
            group.addTask {
                await self.lifecycle.reached(.stopping)
                // Cancelled when the last handler has ended before.
                try? await Task.sleep(for: self.worker.options.cancellationGrace)
            }
            await group.next()
            group.cancelAll()
        }
        // One that has come back only lacks the answer of the database.
        for context in underWay where context.phase != .ended(.finished) {
            context.logger.info(
                "the handler has not ended since it was cancelled; its worker ends without it")
        }
    }

    /// The executions of this session; a worker that started over may have others, left behind in its slots.
    var underWay: [TaskContext] {
        worker.slotTable.executions.map(\.context).filter { $0.writer === writer }
    }

    private func claimLoop() async throws {
        let options = worker.options
        var backoff = Backoff(base: options.pollInterval, cap: options.maxBackoff)
        // An absence ends by itself, and work waits for it, however rarely this worker asks when it is idle.
        var absence = Backoff(base: options.pollInterval, cap: min(options.maxBackoff, .seconds(1)))
        var claims = ClaimTimer()
        var size = ClaimSize()
        var permit: ClaimPermit?
        while lifecycle.stage == .running {
            let ticket = worker.room.ticket()
            await giveBackStrays()
            let limit = min(options.batchSize ?? .max, size.limit, worker.slotTable.freeCount)
            guard limit > 0 else {
                permit = nil
                worker.pulse.enter(.full)
                if lifecycle.stage == .running { await worker.room.wait(after: ticket) }
                continue
            }
            do {
                var request = claims.request(
                    holder: holder, timeout: worker.claimTimeout, limit: limit,
                    sweeps: permit?.sweeps ?? false)
                request.isRegistered = isRegistered
                worker.pulse.enter(.claiming)
                let runs = try await claim(request)
                size.claimed(runs)
                permit?.report(claimed: runs.count, isFull: runs.count >= limit)
                permit = nil
                worker.outages.succeeded(observer.logger)
                if !runs.isEmpty {
                    worker.client.registry.claimed()
                    observer.report(.claimed(count: runs.count))
                    try await start(runs)
                }
                worker.pulse.claimed()
                backoff.reset()
                absence.reset()
                if claims.isDrained(after: request, runs) {
                    worker.pulse.enter(.idle)
                    permit = await idle()
                }
            } catch let error as PostgresError where error.sqlState == "AS009" {
                lose()
            } catch let error as PostgresError where error.sqlState != nil || error.isTransient {
                permit = nil
                doubtClaim(after: error)
                size.failed(error, limit: limit)
                let pause = error.isTransient ? absence.next() : backoff.next()
                worker.outages.failed(error, observer.logger)
                let message = AbsurdError(error, queue: worker.queue).message
                observer.report(.claimFailed(error: message, retryIn: pause))
                worker.pulse.enter(.pausing)
                await pauseClaiming(for: pause)
            }
        }
    }

    /// Waits for the time or the end.
    private func pauseClaiming(for pause: Duration) async {
        let end = ContinuousClock.now + pause
        while lifecycle.stage == .running, .now < end {
            let ticket = lifecycle.changes.ticket()
            guard lifecycle.stage == .running else { return }
            await lifecycle.changed(after: ticket, within: end - .now)
        }
    }
}

// MARK: - Idling

extension WorkerSession {
    /// Waits until the queue's watch asks this worker to claim; nil at the end.
    private func idle() async -> ClaimPermit? {
        let seat = Seat<ClaimPermit?>()
        let isOver = idling.withLock { idling in
            idling.seat = seat
            return idling.isOver
        }
        // What came while the last claim was under way has found nobody to wake.
        if isOver || worker.slotTable.freeCount == 0 || doubt.withLock({ $0.isDue(at: .now) }) { return nil }
        let interval = worker.options.pollInterval
        return await watched.watch.idle(seat, pollInterval: interval) { [weak self, weak seat] taskName in
            // Who has been called to claim has counted its free slots.
            guard let self, let seat, !seat.isOver, let slot = reserveSlot(for: taskName) else { return nil }
            return seat.isOver ? nil : slot
        }
    }

    /// Has the claim loop go round once although there may be neither work nor room.
    func interruptWaiting() {
        worker.room.signal()
        idling.withLock(\.seat)?.give(nil)
    }

    /// Ends the waiting for work or for room when the end has come.
    func stopWaiting() async {
        await lifecycle.reached(.draining)
        worker.room.signal()
        let seat = idling.withLock { idling in
            idling.isOver = true
            return idling.seat
        }
        seat?.give(nil)
    }
}

// MARK: - Starting and giving back

extension WorkerSession {
    /// Hands each claimed run to a task; runs that may have checkpoints get them loaded together first.
    private func start(_ runs: [ClaimedRun]) async throws {
        for run in runs where !run.isResumed { launch(run, [:]) }
        let resumed = runs.filter(\.isResumed)
        guard !resumed.isEmpty else { return }
        worker.pulse.enter(.loading)
        do {
            let checkpoints = try await worker.slotTable.whileLoading(resumed.count) {
                try await writer.loadCheckpoints(runs: resumed.map(\.info.runID))
            }
            for run in resumed { launch(run, checkpoints[run.info.runID] ?? [:]) }
        } catch {
            // Without its checkpoints no run may start; a later claim tries again.
            await giveBack(resumed)
            // Anything else than an answer of the database means that the worker is stopping.
            if error is PostgresError { throw error }
        }
    }

    private func launch(_ run: ClaimedRun, _ checkpoints: [String: JSONText?]) {
        let context = context(of: run, checkpoints)
        guard lifecycle.stage == .running, let slot = worker.slotTable.take(for: context) else {
            // The end came while the claim was under way.
            executions.start { await self.giveBack([run]) }
            return
        }
        execute(context, in: slot)
    }

    func context(of run: ClaimedRun, _ checkpoints: [String: JSONText?]) -> TaskContext {
        TaskContext(
            run: run, checkpoints: checkpoints, writer: writer, client: worker.client,
            claimTimeout: worker.claimTimeout, observer: observer)
    }

    func execute(_ context: TaskContext, in slot: Int) {
        observer.slotTaken()
        let execution = Execution(session: self, context: context, slot: slot)
        executions.start(on: HandlerThreads.shared) { await execution.run() }
    }

    /// Gives runs back, no attempt spent, claimable by others at once.
    func giveBack(_ runs: [ClaimedRun]) async {
        guard !runs.isEmpty else { return }
        do {
            let answers = try await lifecycle.whilePatient(whenLost: true) { [writer] in
                try await writer.release(runs.map(\.key))
            }
            guard let answers else { throw AbsurdError(.timedOut, "the database did not answer in time") }
            for (run, answer) in zip(runs, answers) {
                if case .done = answer {
                    observer.report(.released(run.info))
                } else if lifecycle.isLost {
                    observer.report(.claimLost(run.info))
                }
            }
            let busy = answers.count { $0.refusal == .busy }
            if busy > 0 {
                logLeftBehind(busy, AbsurdError(.timedOut, "another session keeps their rows locked"))
            }
        } catch {
            isUnanswered.store(true, ordering: .relaxed)
            logLeftBehind(runs.count, error)
        }
    }

    private func logLeftBehind(_ count: Int, _ error: any Error) {
        observer.logger.info(
            "runs could not be given back; others take them over when they miss this worker, or when the claims expire",
            metadata: ["absurd.runs": "\(count)", "error": "\(error)"])
    }
}
