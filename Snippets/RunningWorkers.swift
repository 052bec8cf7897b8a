// Quoted by docs/running-workers.md.

import Absurd
import Logging
import ServiceLifecycle
import UnixSignals

func service(handlers: [Handler], webServer: some Service, logger: Logger) async throws {
    // snippet.service
    let absurd = try AbsurdClient(.environment(), logger: logger)

    var options = WorkerOptions()
    options.workers = 2
    options.concurrency = 16
    let pool = try WorkerPool(absurd, queue: "orders", handlers: handlers, options: options)

    let signals: [UnixSignal] = [.sigterm, .sigint]
    let secondSignal = SecondSignal(for: [pool], signals: signals)
    var configuration = ServiceGroupConfiguration(
        services: [absurd, secondSignal, pool, webServer], gracefulShutdownSignals: signals, logger: logger)
    configuration.maximumCancellationDuration = .seconds(10)
    try await ServiceGroup(configuration: configuration).run()
    // snippet.end

    // snippet.restarts
    for worker in pool.restarts(above: 0) {
        logger.info("\(worker.workerID): \(worker.count) restarts, last after \(worker.lastError ?? "")")
    }
    // snippet.end
}

func longHandlers(_ absurd: AbsurdClient, handlers: [Handler]) throws -> WorkerPool {
    // snippet.renewal
    var options = WorkerOptions()
    options.claimTimeout = .seconds(30)
    options.renewal = .automatic(upTo: .hours(2))
    // snippet.end
    return try WorkerPool(absurd, queue: "videos", handlers: handlers, options: options)
}

func limited(_ convert: @escaping @Sendable (String) async throws -> Void) -> Handler {
    // snippet.limit
    let video = TaskKind<String, Void>("convert", queue: "videos", maxAttempts: 3)
    let handler = Handler(video, attemptTimeout: .minutes(30)) { file, context in
        try await context.step("convert") { try await convert(file) }
    }
    // snippet.end
    return handler
}

func pooler(_ url: String) throws -> AbsurdClient {
    // snippet.pooler
    var configuration = AbsurdConfiguration(url)
    configuration.listens = false
    configuration.preparesStatements = false
    let absurd = try AbsurdClient(configuration)
    // snippet.end
    return absurd
}

func watch(_ absurd: AbsurdClient, process: String, logger: Logger) async throws {
    // snippet.workers
    for worker in try await absurd.workers(on: "orders") where worker.state != .live {
        logger.warning("\(worker.id) was last seen \(worker.lastSeenAt)")
    }
    // snippet.end

    // snippet.lost
    let runs = try await absurd.processLost(process)
    // snippet.end
    logger.info("\(runs) runs are attempted again")
}

func maintenance(_ absurd: AbsurdClient) async throws {
    // snippet.cleanup
    var policy = QueuePolicyChange()
    policy.cleanupTTL = "14 days"
    try await absurd.setQueuePolicy("orders", policy)

    // Once an hour, for example from a task of its own.
    for report in try await absurd.cleanUp() { print(report.queue, report.tasks, report.events) }
    // snippet.end
}
