import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Every kind of write of a worker, stopped just before its statement, meets every way of losing the claim.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct FenceTests {
    /// What A's handler noticed after its write came back.
    private struct Notice: Equatable {
        var reason: ExecutionEnded.Reason
        var isCancelled: Bool
    }

    @Test(arguments: WriteKind.allCases, Takeover.allCases)
    func `a write after the claim was lost is refused, A's Swift task is cancelled, and B's outcome stands`(
        _ kind: WriteKind, _ takeover: Takeover
    ) async throws {
        // A worker that gives its runs back claims no more.
        if kind == .release, takeover == .sameWorker { return }
        let notices = Mutex<[Notice]>([])
        let executions = Mutex(0)
        let handler = Handler("t") { context in
            let isFirst = executions.withLock { count in
                count += 1
                return count == 1
            }
            guard isFirst else { return .complete("B") }
            do {
                return try await Self.write(kind, context)
            } catch let ended as ExecutionEnded {
                notices.withLock { $0.append(Notice(reason: ended.reason, isCancelled: Task.isCancelled)) }
                throw ended
            }
        }
        let client = try makeClient()
        try await client.createQueue("default")
        try await client.createQueue("children")
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: kind)
        let pool = try WorkerPool(
            client, queue: "default", handlers: kind == .putOff ? [] : [handler],
            options: testOptions { $0.concurrency = takeover == .sameWorker ? 2 : 1 }, store: store)
        let events = pool.events()
        let task = try await client.spawn("t", params: nil)
        let scene = FencedScene(client: client, store: store, task: task)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { store.pause.open() }
            group.addTask { try await pool.run() }
            if kind == .release {
                try await eventually("the handler runs") { executions.withLock { $0 == 1 } }
                group.cancelAll()
            }
            await store.pause.untilArrived()
            let stolen = try await scene.take(takeover)
            let before = takeover == .sameWorker ? nil : try await scene.contents()
            store.pause.open()

            if kind == .release {
                try await group.waitForAll()
                for await event in events {
                    if case .released = event.kind { Issue.record("a run of B was reported as given back") }
                }
            } else {
                try await events.first { event in
                    switch event {
                    case .claimLost: takeover != .cancelled
                    case .cancelled: takeover == .cancelled
                    default: false
                    }
                }
            }
            if let before { #expect(try await scene.contents() == before) }
            if let stolen {
                try await client.complete(stolen, result: "B")
                #expect(try await task.result(timeout: .seconds(60)) == "B")
            } else if takeover == .cancelled {
                #expect(try await task.snapshot()?.state == .cancelled)
            } else if kind == .putOff {
                // The second execution has no handler either, and its write counts.
                try await events.first { if case .deferred = $0 { true } else { false } }
                #expect(try await task.snapshot()?.state == .sleeping)
            } else {
                #expect(try await task.result(timeout: .seconds(60)) == "B")
                let attempts: Int = try await scene.value("select max(attempt) from absurd.r_default")
                #expect(attempts == 1)
            }
            group.cancelAll()
        }
        await client.close()
        let noticed = notices.withLock(\.self)
        switch kind {
        case .complete, .fail, .putOff, .release:
            // The handler had ended, or there is none.
            #expect(noticed.isEmpty)
        default:
            let reason: ExecutionEnded.Reason = takeover == .cancelled ? .cancelled : .claimLost
            #expect(noticed == [Notice(reason: reason, isCancelled: true)])
        }
    }

    /// Makes the handler's first write of that kind.
    private static func write(_ kind: WriteKind, _ context: TaskContext) async throws -> HandlerResult {
        switch kind {
        case .checkpoint: try await context.step("s") { 1 }
        case .renew: try await context.heartbeat(for: .hours(1))
        case .lookForEvent, .parkOnEvent: try await context.awaitEvent("never")
        case .takeEvent:
            try await context.client.emitEvent("emitted", 1)
            try await context.awaitEvent("emitted")
        case .takeResult:
            let child = try await context.client.spawn("child", params: nil, on: "children")
            try await child.cancel()
            _ = try await context.snapshot(of: child, name: "ended")
        case .lookAtTask, .parkOnTask:
            // Spawned without a record, so that nothing is written before.
            let child = try await context.client.spawn("child", params: nil, on: "children")
            _ = try await context.result(of: child)
        case .sleep: try await context.sleep(for: .hours(1))
        case .complete: return .complete("A")
        case .fail: throw TaskFailure("A", retry: .never)
        // Until it is cancelled.
        case .release: try? await Task.sleep(for: .seconds(600))
        case .putOff: break
        }
        return .complete("A")
    }
}
