// The code of docs/running-in-production.md.

import Absurd
import AbsurdSupervisor
import Foundation
import Logging
import ServiceLifecycle

func supervise(_ logger: Logger) async throws {
    // snippet.supervisor
    var options = SupervisorOptions()
    options.children = 4
    let absurd = try AbsurdClient(.environment(), logger: logger)
    let supervisor = try ProcessSupervisor(
        ["./my-worker", "--verbose"], options: options, client: absurd, logger: logger)

    // SIGTERM stops the children; supervisor.roll() replaces them.
    try await ServiceGroup(
        services: [absurd, supervisor], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
    ).run()
    // snippet.end
}

func probe(_ path: String, _ pool: WorkerPool) throws -> (status: Int, body: Data) {
    // snippet.probes
    let health = pool.health
    let isWell = path == "/live" ? health.isLive : health.isReady
    let body = try JSONEncoder().encode(health)
    return (isWell ? 200 : 503, body)
    // snippet.end
}
