import ServiceLifecycle
import Synchronization

extension PostgresPool {
    private static let sweepInterval: Duration = .seconds(15)

    /// Closes connections that died or were idle for longer than ``PostgresConfiguration/idleTimeout``, until
    /// graceful shutdown or cancellation; then closes the pool.
    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                // Throws only when it is time to stop.
                try await Task.sleep(for: Self.sweepInterval)
                await self.sweep(now: .now)
            }
        }
        await close()
    }

    func sweep(now: ContinuousClock.Instant) async {
        let oldest = now - configuration.idleTimeout
        // Nobody uses an idle connection, so its socket may be looked at under the lock.
        let unwanted = state.withLock { state in
            state.removeIdle { $0.since < oldest || $0.connection.hasUnexpectedInput }
        }
        for connection in unwanted { await connection.close() }
    }
}
