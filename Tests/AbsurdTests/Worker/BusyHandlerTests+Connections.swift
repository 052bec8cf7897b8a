import Absurd
import Foundation
import LibPQ
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import TestSupport
import Testing

/// What a handler may do with the client.
private enum ClientCall: String, CaseIterable, CustomTestStringConvertible {
    case spawn, spawnMany, emit, cancel, look, list, createQueue

    var testDescription: String { rawValue }

    /// What it needs, and a worker of another queue does not.
    var tables: String { self == .createQueue ? "absurd.queues" : "absurd.t_other, absurd.e_other" }

    func callAsFunction(_ client: AbsurdClient) async throws {
        switch self {
        case .spawn: _ = try await client.spawn("x", params: nil, on: "other")
        case .spawnMany:
            _ = try await client.spawnMany(
                (1...2).map { try SpawnRequest("x\($0)", params: nil, on: "other") })
        case .emit: try await client.emitEvent("e", on: "other")
        case .cancel:
            do {
                try await client.cancelTask(TaskID(UUID()), on: "other")
            } catch let error as AbsurdError where error.code == .taskMissing {}
        case .look: _ = try await client.task(TaskID(UUID()), on: "other")
        case .list: _ = try await client.tasks(matching: TaskFilter(queue: "other"))
        case .createQueue: try await client.createQueue("other")
        }
    }
}

extension BusyHandlerTests {
    /// A handler's call of the client waits for the server; then handlers take all threads, and the server answers.
    @Test(arguments: ClientCall.allCases)
    fileprivate func `a handler's call gives its connection back although handlers occupy all threads`(
        call: ClientCall
    ) async throws {
        let scene = try await BusyScene(connections: 2)
        defer { scene.isDone.store(true, ordering: .relaxed) }
        let blocker = try await TestDatabase.current.connect()
        let calls = Handler("calls") { _ in
            try await blocker.execute(
                script: "begin; lock table \(call.tables) in access exclusive mode")
            // Some wait for locks for a while only.
            while true {
                do {
                    try await call(scene.client)
                    return .complete
                } catch let error as AbsurdError where error.code == .timedOut {}
            }
        }
        try await scene.run(calls) { trigger in
            try await TestDatabase.current.wait(
                until: """
                    select exists (select from pg_stat_activity
                      where wait_event_type = 'Lock' and datname = current_database()
                        and query not like '%absurd_swift.claim%')
                    """)
            try await scene.occupyAllThreads()
            try await blocker.execute(script: "commit")
            try await eventually("the connection is back") { scene.client.pool.counts.inUse == 0 }
            trigger.triggerGracefulShutdown()
        }
        #expect(try await scene.heldRuns() == 0)
    }

    /// Their connections come back only when they have a thread again, and by default a worker needs one to stop.
    @Test
    func `transactions of handlers keep no worker from giving back although handlers occupy all threads`()
        async throws
    {
        let scene = try await BusyScene(connections: 3)
        defer { scene.isDone.store(true, ordering: .relaxed) }
        let hold = HoldPoint()
        let inside = Atomic<Int>(0)
        let transacts = Handler("calls") { _ in
            try await scene.client.withTransaction { _ in
                inside.add(1, ordering: .relaxed)
                await hold.arriveAndWait()
            }
            return .complete
        }
        try await scene.run(transacts, times: 3) { trigger in
            defer { hold.open() }
            try await eventually("two are in a transaction, one waits") {
                inside.load(ordering: .relaxed) == 2 && scene.client.pool.counts.waiting == 1
            }
            try await scene.occupyAllThreads()
            hold.open()
            trigger.triggerGracefulShutdown()
        }
        #expect(try await scene.heldRuns() == 0)
    }

    @Test func `claims are renewed although handlers occupy all threads`() async throws {
        let scene = try await BusyScene(connections: 2)
        defer { scene.isDone.store(true, ordering: .relaxed) }
        let waits = Handler("waits") { _ in
            try await Task.sleep(for: .seconds(600))
            return .complete
        }
        try await scene.run(waits, renewal: .automatic(upTo: .minutes(30)), claimTimeout: .seconds(9)) {
            trigger in
            try await TestDatabase.current.wait(until: "select exists (select from absurd.r_default)")
            try await scene.occupyAllThreads()
            // Of the one that waits and of those that compute, and again.
            for _ in 1...2 {
                try await TestDatabase.current.connect().execute(
                    script: "update absurd.r_default set claim_expires_at = claim_expires_at - interval '1 s'"
                )
                try await TestDatabase.current.wait(
                    until: """
                        select count(*) > 2 and bool_and(claim_expires_at > started_at + interval '9.5 s')
                          and bool_and(claim_expires_at > now() + interval '7 s')
                        from absurd.r_default where state = 'running'
                        """)
            }
            trigger.triggerGracefulShutdown()
        }
        #expect(try await scene.heldRuns() == 0)
    }
}
