import Absurd
import Testing

extension WorkerEvents {
    /// Reads until an event matches, and returns it.
    @discardableResult
    func first(where matches: (WorkerEvent.Kind) -> Bool) async throws -> WorkerEvent {
        for await event in self where matches(event.kind) { return event }
        throw EventsEnded()
    }
}

struct EventsEnded: Error {}
