import Logging
import Synchronization

/// The worker's place in the registry.
extension WorkerSession {
    func joinRegistry() {
        guard isRegistered else { return }
        worker.client.registry.join(
            WorkerRegistry.Member(
                id: holder.worker,
                load: { [worker] in
                    (worker.slotTable.heldCount, worker.restarts.load(ordering: .relaxed))
                }, lost: { [weak self] in self?.lose() }))
    }

    func leaveRegistry() { worker.client.registry.leave(holder.worker) }

    /// Keeps the beats of all workers of the client going until cancelled.
    func beat() async {
        guard isRegistered else { return }
        await worker.client.registryLoop.lend()
    }

    /// Others have taken this worker for dead: it gives up what it holds, and goes on under another id.
    func lose() {
        guard lifecycle.lose(life) else { return }
        observer.logger.info(
            "others took the worker for dead; its handlers are cancelled and it registers anew")
    }

    /// Takes the worker out of the registry, in bounded time, also when its task was cancelled.
    ///
    /// One that stays because of a run that could not be given back, or because the database is away, is found
    /// silent by the others.
    func deregister() async {
        guard isRegistered, !lifecycle.isLost, !isUnanswered.load(ordering: .relaxed) else { return }
        let (store, registry, id) = (worker.store, worker.client.registry, holder.worker)
        // Nothing in it throws.
        try? await finishingDespiteCancellation {
            await withTaskGroup(of: Void.self) { group in
                // Without it the others find out in a while.
                group.addTask {
                    await self.giveBackLastStrays()
                    if (try? await store.deregister(id)) == true { registry.leave(id) }
                }
                // Cancelled when the answer comes first.
                group.addTask { try? await Task.sleep(for: .seconds(2)) }
                await group.next()
                group.cancelAll()
            }
        }
    }
}
