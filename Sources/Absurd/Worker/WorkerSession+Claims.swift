import LibPQ
import Logging
import Synchronization

extension WorkerSession {
    /// Asks at a third of the claim timeout whether the claims still stand, renews those that renew themselves, and says
    /// so when one has run out under its handler.
    ///
    /// A handler that makes no durable call learns in this way that its task was cancelled or taken over.
    func watchClaims() async {
        let interval = max(worker.options.claimTimeout / 3, .milliseconds(250))
        var nextLook = ContinuousClock.now + interval
        while await sleep(until: nextLook) {
            let now = ContinuousClock.now
            tell(now)
            wakeForStrays(at: now)
            guard now >= nextLook else { continue }
            let executions = worker.slotTable.executions.filter {
                now - $0.since >= interval / 2 && $0.context.writer === writer
            }
            if !executions.isEmpty { await look(at: executions, now) }
            nextLook = .now + interval
        }
    }

    /// Sleeps until the next look, or until there may be something to tell; false when this task is cancelled.
    private func sleep(until nextLook: ContinuousClock.Instant) async -> Bool {
        // A handler that starts meanwhile has its claim for longer than this; one that is cancelled is told of later.
        let soon = ContinuousClock.now + .seconds(10)
        let lapses = worker.slotTable.executions.compactMap(\.context.nextLapse)
        var end = lapses.reduce(min(nextLook, soon), min)
        // One that is due already waits for the claim loop.
        if let look = doubt.withLock(\.nextLook) { end = min(end, max(look, .now + .milliseconds(100))) }
        return (try? await Task.sleep(until: end, clock: .continuous)) != nil
    }

    private func tell(_ now: ContinuousClock.Instant) {
        for (context, _) in worker.slotTable.executions {
            if context.hasLapsed(at: now) { observer.report(.claimLapsed(context.info)) }
            if let overstay = context.overstay(at: now) {
                context.logger.info(
                    "the handler ignores its cancellation; what it records is refused, and it keeps its slot",
                    metadata: ["absurd.overstay": "\(overstay)"])
            }
        }
    }

    private func look(
        at executions: [(context: TaskContext, since: ContinuousClock.Instant)],
        _ now: ContinuousClock.Instant
    ) async {
        let writes = executions.map { context, since in
            RenewWrite(key: context.run.key, claimTimeout: renewal(of: now - since))
        }
        do {
            let answers = try await worker.store.look(at: writes, holder: holder)
            for (((context, _), write), answer) in zip(zip(executions, writes), answers) {
                switch answer {
                case .renewed:
                    if let seconds = write.claimTimeout { context.renewed(by: seconds, sentAt: now) }
                case .refused(let refusal): if let end = ExecutionState.End(refusal) { context.end(end) }
                }
            }
            // Some may wait for an earlier execution of their run and have no claim to wait with any more.
            worker.client.executions.poke()
        } catch let error as PostgresError where error.code == .cancelled {
            // The worker is at its end.
        } catch {
            // A missed look costs nothing: the next one comes, and every write is checked by itself.
            worker.outages.failed(error, observer.logger)
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
