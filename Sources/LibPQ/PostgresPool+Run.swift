import ServiceLifecycle
import Synchronization

extension PostgresPool {
    private static let sweepInterval: Duration = .seconds(15)

    package func run() async throws { try await run(beforeClosing: {}) }

    /// Closes connections that died or were idle for longer than ``PostgresConfiguration/idleTimeout``, until
    /// graceful shutdown or cancellation; then closes the pool.
    ///
    /// - Parameter beforeClosing: What still needs connections then; bounds its own time.
    package func run(beforeClosing: @Sendable () async -> Void) async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                // Throws only when it is time to stop.
                try await Task.sleep(for: Self.sweepInterval)
                await self.sweep(now: .now)
            }
        }
        await beforeClosing()
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
