import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Handlers that never give their thread back.
///
/// Serialized: each occupies one of the few threads of Swift's pool, and two at once could occupy all.
@Suite(.database(.migrated), .serialized, .timeLimit(.minutes(10)))
struct BusyHandlerTests {
    @Test func `a handler that computes without pause does not block its worker`() async throws {
        let isDone = Atomic<Bool>(false)
        let busy = Handler("busy") { _ in
            while !isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let quick = Handler("quick") { _ in .complete }
        try await withEngine([busy, quick]) { engine in
            // Also when something fails: the handler would never end, and neither would the test.
            defer { isDone.store(true, ordering: .relaxed) }
            let first = try await engine.client.spawn("busy", params: nil)
            try await engine.waitUntil(first.taskID, is: .running)
            let second = try await engine.client.spawn("quick", params: nil)
            _ = try await second.result(timeout: .seconds(60))
            isDone.store(true, ordering: .relaxed)
            _ = try await first.result(timeout: .seconds(60))
        }
    }

    @Test func `the run of a handler that computes without pause is given back unspent`() async throws {
        let point = HoldPoint()
        let isDone = Atomic<Bool>(false)
        let handler = Handler("computes") { _ in
            point.arrive()
            while !isDone.load(ordering: .relaxed) {}
            return .complete
        }
        let run = try await shutDown(handler, at: point) { _, _ in
            defer { isDone.store(true, ordering: .relaxed) }
            try await TestDatabase.current.wait(
                until: "select state = 'pending' and claimed_by is null from absurd.r_default")
            isDone.store(true, ordering: .relaxed)
        }
        #expect(run == ("pending", 1, nil))
    }
}
