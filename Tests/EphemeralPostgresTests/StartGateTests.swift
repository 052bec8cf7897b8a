import Synchronization
import Testing

@testable import EphemeralPostgres

@Suite(.timeLimit(.minutes(1)))
struct StartGateTests {
    private struct Failure: Error {}

    private final class Visitors: Sendable {
        let counts = Mutex((inside: 0, most: 0, left: 0))

        /// Stays until three have been inside at once.
        func visit() async {
            counts.withLock {
                $0.inside += 1
                $0.most = max($0.most, $0.inside)
            }
            while counts.withLock(\.most) < 3 { await Task.yield() }
            counts.withLock {
                $0.inside -= 1
                $0.left += 1
            }
        }
    }

    @Test func `as many as it lets in are within at once, and everybody has a turn`() async {
        let gate = StartGate(count: 3)
        let visitors = Visitors()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { await gate.during { await visitors.visit() } } }
        }
        #expect(visitors.counts.withLock(\.most) == 3)
        #expect(visitors.counts.withLock(\.left) == 50)
    }

    @Test func `who fails makes room for the next`() async throws {
        let gate = StartGate(count: 1)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) { try await gate.during { throw Failure() } }
        }
        #expect(await gate.during { 42 } == 42)
    }
}
