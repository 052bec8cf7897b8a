import Absurd
import LibPQ
import Logging
import ServiceLifecycle
import UnixSignals

/// Works until SIGTERM, as a service does.
func serveUntilSignalled(
    _ pool: WorkerPool, _ client: AbsurdClient, _ console: Console, _ logger: Logger
) async throws {
    struct Announcement: Service {
        let pool: WorkerPool
        let console: Console

        func run() async throws {
            console.say("ready \(pool.workers[0].id)")
            try? await gracefulShutdown()
        }
    }
    try await ServiceGroup(
        services: [client, SecondSignal(for: [pool]), pool, Announcement(pool: pool, console: console)],
        gracefulShutdownSignals: [.sigterm], logger: logger
    ).run()
}

func shutdownHandlers(_ client: AbsurdClient) -> [Handler] {
    let minute = Duration.seconds(60)
    // That it executes, before it does what it is for.
    let say: @Sendable (TaskContext) async throws -> Void = { context in
        _ = try await client.query("insert into executing values ($1)", [.uuid(context.taskID.uuid)])
    }
    return [
        // Mostly in the middle of a write.
        Handler("writes") { context in
            for number in 1...50 {
                let name = "step-\(number)"
                try await context.step(name) { number }
                _ = try await client.query(
                    "insert into returned values ($1, $2)", [.uuid(context.taskID.uuid), .text(name)])
            }
            return .complete
        },
        Handler("waits") { _ in
            try await Task.sleep(for: minute)
            return .complete
        },
        Handler("ignores") { context in
            try await say(context)
            let end = ContinuousClock.now + minute
            // The cancelled sleep throws at once; the yield leaves the thread to others.
            while .now < end { if (try? await Task.sleep(for: .seconds(1))) == nil { await Task.yield() } }
            return .complete
        },
        Handler("computes") { context in
            try await say(context)
            let end = ContinuousClock.now + minute
            while .now < end {}
            return .complete
        },
    ]
}
