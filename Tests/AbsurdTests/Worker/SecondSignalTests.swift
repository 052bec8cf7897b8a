import Absurd
import Foundation
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import TestSupport
import Testing
import UnixSignals

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SecondSignalTests {
    @Test func `a second signal ends the grace period, and the runs go back unspent`() async throws {
        // A signal that comes before anybody traps it must not end the tests.
        signal(SIGUSR2, SIG_IGN)
        let point = HoldPoint()
        let handler = Handler("takes its time") { _ in
            point.arrive()
            try await Task.sleep(for: .seconds(3600))
            return .complete
        }
        let client = try makeClient()
        try await client.createQueue("default")
        let pool = try WorkerPool(
            client, handlers: [handler], options: testOptions { $0.shutdownGrace = .seconds(3600) })
        try await client.spawn("takes its time", params: nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Outside of the shutdown, as in a service group, which stops it after the pool.
            group.addTask { try await SecondSignal(for: [pool], signals: [.sigusr2]).run() }
            group.addTask {
                try await testGracefulShutdown { trigger in
                    try await withThrowingTaskGroup(of: Void.self) { shutdown in
                        shutdown.addTask { try await pool.run() }
                        await point.untilArrived()
                        trigger.triggerGracefulShutdown()
                        try await eventually("the pool drains") {
                            pool.health.workers.allSatisfy { $0.phase == .draining }
                        }
                        // One alone changes nothing; this sequence gets it when the other does.
                        var seen = await UnixSignalsSequence(trapping: [.sigusr2]).makeAsyncIterator()
                        kill(getpid(), SIGUSR2)
                        _ = await seen.next()
                        // That nothing happens has no event to wait for.
                        try await Task.sleep(for: .milliseconds(200))
                        #expect(try await Self.state() == "running")
                        // Two signals may arrive as one.
                        try await eventually("the run goes back") {
                            kill(getpid(), SIGUSR2)
                            return try await Self.state() == "pending"
                        }
                        try await shutdown.waitForAll()
                    }
                }
            }
            try await group.next()
            group.cancelAll()
        }
        let rows = try await TestDatabase.current.connect().query(
            "select attempt, claimed_by from absurd.r_default")
        #expect(try rows[0].decode("attempt", as: Int.self) == 1)
        #expect(try rows[0].decode("claimed_by", as: String?.self) == nil)
        await client.close()
    }

    @Test func `a grace period that has not begun is left out`() {
        let lifecycle = WorkerLifecycle()
        lifecycle.endGrace()
        #expect(lifecycle.stage == .running)
        lifecycle.advance(to: .draining)
        #expect(lifecycle.stage == .stopping)
    }

    private static func state() async throws -> String {
        try await TestDatabase.current.observingConnection().query("select state from absurd.r_default")[0]
            .decode(0)
    }
}
