import Synchronization

/// The events of a worker or a pool from the moment of subscribing.
///
/// Each subscription has a buffer of its own. When it is full the oldest event is dropped and counted; a slow or
/// abandoned subscriber delays nobody.
public struct WorkerEvents: AsyncSequence, Sendable {
    public typealias Element = WorkerEvent
    public typealias Failure = Never

    package let stream: AsyncStream<WorkerEvent>
    private let drops: DropCounter

    package init(stream: AsyncStream<WorkerEvent>, drops: DropCounter) {
        self.stream = stream
        self.drops = drops
    }

    /// How many events this subscription has lost because it was too slow.
    public var droppedCount: Int { drops.count }

    public func makeAsyncIterator() -> AsyncStream<WorkerEvent>.Iterator { stream.makeAsyncIterator() }
}

package final class DropCounter: Sendable {
    private let value = Atomic<Int>(0)
    package init() {}
    package var count: Int { value.load(ordering: .relaxed) }
    package func increment() { value.add(1, ordering: .relaxed) }
}

/// Hands every event to all current subscriptions.
package final class EventBroadcaster: Sendable {
    private struct State {
        var nextID = 0
        var subscriptions: [Int: (continuation: AsyncStream<WorkerEvent>.Continuation, drops: DropCounter)] =
            [:]
    }
    private let state = Mutex(State())

    package init() {}

    package func subscribe(bufferSize: Int) -> WorkerEvents {
        let (stream, continuation) = AsyncStream.makeStream(
            of: WorkerEvent.self, bufferingPolicy: .bufferingNewest(Swift.max(1, bufferSize)))
        let drops = DropCounter()
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            state.subscriptions[state.nextID] = (continuation, drops)
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.subscriptions.removeValue(forKey: id) }
        }
        return WorkerEvents(stream: stream, drops: drops)
    }

    /// Ends all current subscriptions.
    package func finish() {
        let subscriptions = state.withLock { state in
            defer { state.subscriptions = [:] }
            return Array(state.subscriptions.values)
        }
        for (continuation, _) in subscriptions { continuation.finish() }
    }

    package var isObserved: Bool { state.withLock { !$0.subscriptions.isEmpty } }

    package func send(_ event: WorkerEvent) {
        // Yielding runs no code of the subscriber; still, not under the lock.
        let subscriptions = state.withLock { Array($0.subscriptions.values) }
        for (continuation, drops) in subscriptions {
            if case .dropped = continuation.yield(event) { drops.increment() }
        }
    }
}
