import Absurd
import LibPQ
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// Supervision, with a store in place of the database.
@Suite(.timeLimit(.minutes(10)))
struct PoolSupervisionTests {
    private struct Fault: Error, CustomStringConvertible {
        var description: String { "a fault of the worker" }
    }

    private func client() throws -> AbsurdClient {
        try AbsurdClient(AbsurdConfiguration("host=/nowhere"), logger: .quiet)
    }

    @Test func `a worker that ends unexpectedly is started again while the others go on`() async throws {
        let faults = Mutex<[String: Int]>([:])
        let store = FakeStore { request in
            guard request.holder.worker.hasPrefix("pool-1:") else { return [] }
            let count = faults.withLock { faults in
                faults["pool-1", default: 0] += 1
                return faults["pool-1", default: 0]
            }
            if count <= 2 { throw Fault() }
            return []
        }
        let options = testOptions {
            $0.workers = 2
            $0.workerID = "pool"
        }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [], options: options, store: store)
        let events = pool.events()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            try await events.first { if case .workerRestarted(2, _) = $0 { true } else { false } }
            try await eventually("the worker works again") {
                faults.withLock { $0["pool-1", default: 0] } > 3
            }
            group.cancelAll()
        }
        #expect(pool.restarts.map(\.workerID) == pool.workers.map(\.id))
        #expect(pool.workers.map { $0.id.prefix(7) } == ["pool-1:", "pool-2:"])
        #expect(pool.restarts.map(\.count) == [2, 0])
        #expect(pool.restarts.map(\.lastError) == ["a fault of the worker", nil])
        #expect(pool.restarts(above: 1).map(\.workerID) == [pool.workers[0].id])
        #expect(pool.restarts(above: 2).isEmpty)
    }

    @Test func `a pool whose workers are restarted too often ends with an error that says so`() async throws {
        let store = FakeStore { _ in throw Fault() }
        let options = testOptions { $0.maxRestarts = 2 }
        let pool = try WorkerPool(try client(), queue: "orders", handlers: [], options: options, store: store)
        let error = await #expect(throws: AbsurdError.self) { try await pool.run() }
        #expect(error?.code == .restartLimit)
        #expect(
            error?.message
                == "the workers of queue 'orders' were restarted more than 2 times within 60.0 seconds; "
                + "the last error was: a fault of the worker")
    }

    @Test func `claims that get no answer back off and reset on success`() async throws {
        let isDown = Atomic<Bool>(true)
        let store = FakeStore { _ in
            if isDown.load(ordering: .relaxed) { throw PostgresError(.connectionLost, "gone") }
            return []
        }
        let options = testOptions { $0.maxBackoff = .milliseconds(40) }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [], options: options, store: store)
        let events = pool.events()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            var pauses: [Duration] = []
            for await event in events {
                guard case .claimFailed(_, let pause) = event.kind else { continue }
                pauses.append(pause)
                if pauses.count == 5 { break }
            }
            // Between half and all of 10, 20, 40, 40, 40 milliseconds.
            for (pause, full) in zip(pauses, [10, 20, 40, 40, 40]) {
                #expect(pause <= .milliseconds(full) && pause >= .milliseconds(full) / 2)
            }
            isDown.store(false, ordering: .relaxed)
            let before = store.claimCount
            try await eventually("claiming goes on at the poll interval") { store.claimCount > before + 3 }
            group.cancelAll()
        }
        #expect(pool.restarts.map(\.count) == [0])
    }

    /// Also for who asks rarely, as one may who is notified.
    @Test(arguments: [true, false])
    func `claims that meet a lock or get no answer come again within a second at the latest`(isAnswered: Bool)
        async throws
    {
        let store = FakeStore { _ in
            var error = PostgresError(isAnswered ? .server : .connectionLost, "not now")
            if isAnswered { error.sqlState = "55P03" }
            throw error
        }
        let options = testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
        }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [], options: options, store: store)
        let events = pool.events()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            let event = try await events.first { if case .claimFailed = $0 { true } else { false } }
            if case .claimFailed(_, let pause) = event.kind { #expect(pause <= .seconds(1)) }
            group.cancelAll()
        }
    }

    @Test func `refused claims back off beyond a second, up to maxBackoff, and start over after a success`()
        async throws
    {
        // Without an answer the pauses would end at one second.
        let fullPauses = [10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000]
        let fullPausesAfterwards = [10, 20, 40]
        let claims = Mutex(0)
        let store = FakeStore { _ in
            let count = claims.withLock { count in
                count += 1
                return count
            }
            if count == fullPauses.count + 1 { return [] }
            var refusal = PostgresError(.server, "permission denied")
            refusal.sqlState = "42501"
            throw refusal
        }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [],
            options: testOptions { $0.maxBackoff = .seconds(2) }, store: store)
        let events = pool.events()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            for full in fullPauses + fullPausesAfterwards {
                let event = try await events.first { if case .claimFailed = $0 { true } else { false } }
                guard case .claimFailed(let error, let pause) = event.kind else { continue }
                #expect(error.contains("may not") || error.contains("permission"), "\(error)")
                #expect(pause <= .milliseconds(full) && pause >= .milliseconds(full) / 2)
            }
            group.cancelAll()
        }
        #expect(claims.withLock(\.self) >= fullPauses.count + 1 + fullPausesAfterwards.count)
        #expect(pool.restarts.map(\.count) == [0])
    }

    @Test func `a claim asks for the free slots and no more than the batch size`() async throws {
        let limits = Mutex<[Int]>([])
        let store = FakeStore { request in
            limits.withLock { $0.append(request.limit) }
            return []
        }
        for (concurrency, batch, expected) in [(7, nil, 7), (7, 3, 3), (2, 50, 2)] as [(Int, Int?, Int)] {
            limits.withLock { $0 = [] }
            let options = testOptions {
                $0.concurrency = concurrency
                $0.batchSize = batch
            }
            let pool = try WorkerPool(
                try client(), queue: "default", handlers: [], options: options, store: store)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await eventually("a claim was made") { !limits.withLock(\.isEmpty) }
                group.cancelAll()
            }
            #expect(limits.withLock(\.first) == expected)
        }
    }

    @Test func `one worker that is restarted too often ends the pool, whatever the others do`() async throws {
        let store = FakeStore { request in
            guard request.holder.worker.hasPrefix("pool-1:") else { return [] }
            throw Fault()
        }
        let options = testOptions {
            $0.workers = 3
            $0.workerID = "pool"
            $0.maxRestarts = 1
        }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [], options: options, store: store)
        let error = await #expect(throws: AbsurdError.self) { try await pool.run() }
        #expect(error?.code == .restartLimit)
        #expect(pool.restarts.map(\.count) == [2, 0, 0])
    }

    @Test func `a graceful shutdown in the pause before a restart is no error`() async throws {
        let store = FakeStore { _ in throw Fault() }
        let options = testOptions { $0.maxRestarts = 1000 }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [], options: options, store: store)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let events = pool.events()
                group.addTask { try await pool.run() }
                // By the sixth the pauses last seconds, so the shutdown meets one.
                try await events.first { if case .workerRestarted(6, _) = $0 { true } else { false } }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
    }

    @Test func `subscriptions end with the pool`() async throws {
        let store = FakeStore { _ in throw Fault() }
        let options = testOptions { $0.maxRestarts = 0 }
        let pool = try WorkerPool(
            try client(), queue: "default", handlers: [], options: options, store: store)
        let events = pool.events()
        _ = try? await pool.run()  // Ends with the limit.
        var count = 0
        for await _ in events { count += 1 }
        #expect(count > 0)
    }
}
