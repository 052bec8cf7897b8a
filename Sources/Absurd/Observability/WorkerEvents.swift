import DequeModule

/// The events of a worker or a pool from the moment of subscribing.
///
/// Each subscription has a buffer of its own. When it is full the oldest event is dropped and counted; a slow or
/// abandoned subscriber delays nobody. Ends with the pool, and for a reader whose task is cancelled, each time after what
/// had happened by then.
public struct WorkerEvents: AsyncSequence, Sendable {
    public typealias Element = WorkerEvent
    public typealias Failure = Never

    /// Reads the events; several that read one subscription share them.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let subscription: EventSubscription
        /// What was taken from the buffer together.
        fileprivate var taken: Deque<WorkerEvent> = []
        fileprivate var takenCount = 0

        public mutating func next() async -> WorkerEvent? {
            if taken.isEmpty {
                await subscription.buffer.pause(after: takenCount)
                taken = await subscription.buffer.take() ?? []
                takenCount = taken.count
            }
            return taken.popFirst()
        }
    }

    fileprivate let subscription: EventSubscription

    init(_ subscription: EventSubscription) { self.subscription = subscription }

    /// How many events this subscription has lost because it was too slow.
    public var droppedCount: Int { subscription.buffer.droppedCount }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: subscription) }
}

/// Ends a subscription when nobody can read it any more.
final class EventSubscription: Sendable {
    let buffer: EventBuffer

    init(_ buffer: EventBuffer) { self.buffer = buffer }

    deinit { buffer.abandon() }
}
