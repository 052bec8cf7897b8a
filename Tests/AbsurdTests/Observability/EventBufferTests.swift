import Absurd
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct EventBufferTests {
    private let broadcaster = EventBroadcaster()

    private func send(_ counts: Range<Int>) {
        for count in counts {
            broadcaster.send(
                WorkerEvent(workerID: "w", queue: "q", time: .now, kind: .claimed(count: count)))
        }
    }

    private func counts(_ events: WorkerEvents) async -> [Int] {
        var counts: [Int] = []
        for await event in events {
            if case .claimed(let count) = event.kind { counts.append(count) }
        }
        return counts
    }

    @Test func `a reader gets each event once, in order, also those after a pause, until the end`() async {
        let events = broadcaster.subscribe(bufferSize: 10_000)
        send(0..<3)
        await withTaskGroup(of: [Int].self) { group in
            group.addTask { await self.counts(events) }
            for start in stride(from: 3, to: 3000, by: 3) {
                send(start..<(start + 3))
                await Task.yield()
            }
            broadcaster.finish()
            for await counts in group { #expect(counts == Array(0..<3000)) }
        }
        #expect(events.droppedCount == 0)
        #expect(!broadcaster.isObserved)
    }

    @Test(arguments: [1, 5, 100]) func `a full buffer drops the oldest, and counts them`(_ size: Int) async {
        let events = broadcaster.subscribe(bufferSize: size)
        send(0..<250)
        broadcaster.finish()
        #expect(await counts(events) == Array((250 - size)..<250))
        #expect(events.droppedCount == 250 - size)
    }

    @Test func `readers of one subscription share its events, and each subscription has all`() async {
        let shared = broadcaster.subscribe(bufferSize: 1000)
        let other = broadcaster.subscribe(bufferSize: 1000)
        await withTaskGroup(of: [Int].self) { group in
            for _ in 0..<3 { group.addTask { await self.counts(shared) } }
            send(0..<500)
            broadcaster.finish()
            var all: [Int] = []
            for await counts in group { all += counts }
            #expect(all.sorted() == Array(0..<500))
        }
        #expect(await counts(other) == Array(0..<500))
    }

    @Test func `a reader that is cancelled gets what there was, and ends the subscription`() async {
        let events = broadcaster.subscribe(bufferSize: 10)
        send(0..<4)
        await withTaskGroup(of: [Int].self) { group in
            group.cancelAll()
            group.addTask { await self.counts(events) }
            for await counts in group { #expect(counts == [0, 1, 2, 3]) }
        }
        #expect(!broadcaster.isObserved)
        send(4..<5)
        #expect(await counts(events).isEmpty)
    }

    @Test func `a reader that is cancelled ends although more comes than it takes`() async {
        let events = broadcaster.subscribe(bufferSize: 10)
        send(0..<1)
        await withTaskGroup(of: Int.self) { group in
            group.addTask {
                var count = 0
                for await _ in events {
                    count += 1
                    self.send(count..<(count + 2))
                    withUnsafeCurrentTask { $0?.cancel() }
                }
                return count
            }
            // The first, and what there was when it looked for more.
            for await count in group { #expect(count == 3) }
        }
        #expect(!broadcaster.isObserved)
    }

    @Test func `events gather for a reader that keeps up, while the buffer has room for four times as many`()
    {
        let buffer = EventBuffer(limit: 100)
        #expect([0, 1, 25, 26, 100].map(buffer.hasRoomToGather) == [false, true, true, false, false])
    }

    @Test func `a subscription that nobody can read any more is forgotten`() async {
        do {
            let events = broadcaster.subscribe(bufferSize: 10)
            send(0..<1)
            var iterator: WorkerEvents.AsyncIterator? = events.makeAsyncIterator()
            _ = await iterator?.next()
            #expect(broadcaster.isObserved)
            iterator = nil
        }
        #expect(!broadcaster.isObserved)
    }
}
