import Absurd
import Logging
import ServiceLifecycle
import UnixSignals

/// Works on orders until the process is asked to stop.
func work(_ settings: WorkerSettings) async throws {
    var logger = Logger(label: "orders")
    logger.logLevel = .warning
    let absurd = try AbsurdClient(.environment(), logger: logger)
    let shop = try await Shop.open(absurd)

    var options = WorkerOptions()
    options.workers = 2
    options.concurrency = 4
    options.claimTimeout = .seconds(settings.claimTimeout)
    let pool = try WorkerPool(
        absurd, queue: processOrder.queue,
        handlers: [orderHandler(shop: shop, coolDown: .seconds(settings.coolDown))],
        options: options)

    say("ready for orders")
    // A web server would be one more service in this list. SIGTERM and Ctrl-C drain.
    try await ServiceGroup(
        services: [absurd, pool], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
    ).run()
}
