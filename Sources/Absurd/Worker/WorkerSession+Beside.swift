import LibPQ
import Synchronization

/// Runs that statements of this client claim for this worker while it has nothing to do, beside its claim loop: tasks that
/// the program spawns and runs that its events wake (`docs/decisions/084-claimed-by-what-makes-them-due.md`).
extension WorkerSession {
    /// Keeps a slot for the run that a statement is about to claim; nil when this worker cannot take one.
    ///
    /// - Parameter taskName: The task's; nil when it is not known before.
    func reserveSlot(for taskName: String?) -> SlotReservation? {
        let kind = taskName == nil ? BesideHabit.Kind.emission : .spawn
        // Without the registry nobody would find the run of an answer that was lost before its claim expires.
        guard isRegistered, taskName.map({ worker.handlers[$0] != nil }) ?? true,
            besideHabit.withLock({ $0.isWorthTrying(kind) }), doubt.withLock({ $0.startClaimingBeside() })
        else {
            return nil
        }
        claimsBeside.hold()
        guard isTaking, let slot = worker.slotTable.reserve() else {
            stoppedClaimingBeside()
            return nil
        }
        // The next beat says that this worker may have a run from now on.
        worker.client.registry.claimed()
        return SlotReservation(session: self, slot: slot, kind: kind)
    }

    func stoppedClaimingBeside() {
        doubt.withLock { $0.claimedBeside() }
        // Whose answer was lost is looked for now.
        wakeForStrays(at: .now)
        claimsBeside.release()
    }

    /// Whether this session executes what is claimed; another one does after the worker was taken for dead.
    var isTaking: Bool { lifecycle.stage == .running && lifecycle.life == life }

    /// Waits until no statement claims beside any more, a bounded time, since the database may be gone.
    ///
    /// In a task of its own, as the session may be cancelled by then.
    func claimedBeside() async {
        // Nothing in it throws.
        try? await finishingDespiteCancellation { [claimsBeside] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await claimsBeside.ended() }
                // Cancelled when the last statement is answered first.
                group.addTask { try? await Task.sleep(for: .seconds(2)) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Begins to start what statements claim.
    ///
    /// In a task of the session: who spawns or emits may be in another handler's step, in the span of a request, and part of
    /// another service, and no handler is to inherit that. On the threads of handlers, since these begin there, and left
    /// behind at the end, as handlers may keep all of these threads.
    func startExecutingBeside() {
        LeavableTasks().start(on: HandlerThreads.shared) { [claimedRuns] in
            while true {
                let ticket = claimedRuns.changes.ticket()
                guard let runs = claimedRuns.take() else { return }
                for (context, slot) in runs {
                    self.execute(context, in: slot)
                    self.executions.release()
                    self.claimsBeside.release()
                }
                await claimedRuns.changes.wait(after: ticket)
            }
        }
    }

    /// What is claimed from now on, or has not been started, is given back.
    func stopExecutingBeside() {
        for (context, slot) in claimedRuns.close() { refuse(context, slot) }
    }

    func start(_ context: TaskContext, in slot: Int) {
        // Until it is executed, or given back.
        executions.hold()
        claimsBeside.hold()
        // A stop that comes later finds the context in its slot.
        if !isTaking || !claimedRuns.put(context, slot) { refuse(context, slot) }
    }

    private func refuse(_ context: TaskContext, _ slot: Int) {
        worker.slotTable.give(back: slot)
        worker.room.signal()
        claimsBeside.start { await self.giveBack([context.run]) }
        executions.release()
        claimsBeside.release()
    }
}
