public import ServiceLifecycle
public import UnixSignals

/// Ends the grace period of pools at the second signal, while the service group shuts down for the first.
///
/// Goes into the service group to the left of its pools. A service group itself ignores a signal that it has heeded.
///
/// ```swift
/// try await ServiceGroup(
///     services: [absurd, SecondSignal(for: [pool]), pool], gracefulShutdownSignals: [.sigterm], logger: logger
/// ).run()
/// ```
public struct SecondSignal: Service {
    private let pools: [WorkerPool]
    private let signals: [UnixSignal]

    /// - Parameter signals: Those that the service group shuts down for; counted together.
    public init(for pools: [WorkerPool], signals: [UnixSignal] = [.sigterm]) {
        self.pools = pools
        self.signals = signals
    }

    public func run() async throws {
        var isFirst = true
        for await _ in await UnixSignalsSequence(trapping: signals).cancelOnGracefulShutdown() {
            if !isFirst { for pool in pools { pool.endGracePeriod() } }
            isFirst = false
        }
    }
}
