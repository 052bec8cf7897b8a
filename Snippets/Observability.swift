// Quoted by docs/observability.md.

import Absurd
import Logging

func watch(_ pool: WorkerPool, logger: Logger) async {
    // snippet.events
    for await event in pool.events(bufferSize: 1024) {
        switch event.kind {
        case .failed(let run, let failure, isFinal: true, _):
            logger.error("\(run.taskName) \(run.taskID) failed for good: \(failure.name)")
        case .workerRestarted(let count, let error):
            logger.warning("\(event.workerID) restarted \(count) times, last after \(error)")
        default: break
        }
    }
    // snippet.end
}

func slots(of pool: WorkerPool) {
    // snippet.slots
    for worker in pool.workers {
        let busy = worker.slots.count { $0.run != nil }
        print("\(worker.id): \(busy) of \(worker.slots.count) slots in use")
    }
    // snippet.end
}

func client(_ configuration: AbsurdConfiguration) throws -> AbsurdClient {
    // snippet.hooks
    var hooks = Hooks()
    hooks.beforeSpawn = { request in
        var request = request
        request.options.headers["tenant"] = "acme"
        return request
    }
    hooks.aroundExecution = { context, execute in
        let tenant = context.headers["tenant"]?.stringValue ?? "none"
        try await Tenant.$current.withValue(tenant) { try await execute() }
    }
    let absurd = try AbsurdClient(configuration, hooks: hooks)
    // snippet.end
    return absurd
}

enum Tenant {
    @TaskLocal static var current = "none"
}
