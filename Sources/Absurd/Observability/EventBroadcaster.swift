import Synchronization

/// Hands every event to all current subscriptions.
package final class EventBroadcaster: Sendable {
    private let buffers = Mutex<[EventBuffer]>([])

    package init() {}

    package func subscribe(bufferSize: Int) -> WorkerEvents {
        let buffer = EventBuffer(limit: bufferSize)
        buffers.withLock { buffers in
            buffers.removeAll(where: \.isFinished)
            buffers.append(buffer)
        }
        return WorkerEvents(EventSubscription(buffer))
    }

    /// Ends all current subscriptions.
    package func finish() {
        for buffer in current() { buffer.finish() }
    }

    package var isObserved: Bool { !current().isEmpty }

    package func send(_ event: WorkerEvent) {
        for buffer in current() { buffer.append(event) }
    }

    /// The subscriptions that have not ended.
    private func current() -> [EventBuffer] {
        buffers.withLock { buffers in
            if buffers.contains(where: \.isFinished) { buffers.removeAll(where: \.isFinished) }
            return buffers
        }
    }
}
