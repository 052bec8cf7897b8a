import Synchronization

/// The runs whose handlers are executing in this process.
///
/// A run that was suspended can be claimed again within a millisecond, while its earlier closure still unwinds.
/// Its next execution waits here until that one has ended.
package final class ExecutionRegistry: Sendable {
    private let running = Mutex<Set<RunID>>([])
    private let changes = ChangeSignal()

    package init() {}

    /// Waits until no execution of the run is under way and takes its place.
    ///
    /// False when `isAbandoned` says that waiting has no point any more, or the task was cancelled.
    package func enter(_ run: RunID, unless isAbandoned: () -> Bool) async -> Bool {
        while true {
            let ticket = changes.ticket()
            if running.withLock({ $0.insert(run).inserted }) { return true }
            if isAbandoned() || Task.isCancelled { return false }
            await changes.waitUnlessCancelled(after: ticket)
        }
    }

    package func leave(_ run: RunID) {
        running.withLock { _ = $0.remove(run) }
        changes.signal()
    }

    /// Lets everybody who waits look again.
    package func poke() { changes.signal() }
}
