import Absurd
import Foundation
import LibPQ
import Synchronization
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct WaitTests {
    @Test func `a sleep suspends once and its end is recorded as text that all SDKs read`() async throws {
        let runs = Mutex(0)
        let handler = Handler("sleeps") { context in
            runs.withLock { $0 += 1 }
            try await context.sleep("nap", for: .milliseconds(300))
            return .complete(.integer(Int64(context.attempt)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("sleeps", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 1)
            let text = try #require(
                try await engine.client.checkpoint("nap", of: task.taskID)?.value.stringValue)
            #expect(ISO8601.parse(text) != nil && text.hasSuffix("+00:00"))
        }
        #expect(runs.withLock(\.self) == 2)
    }

    @Test func `a sleep that ends in the past or lasts no time does not suspend`() async throws {
        let handler = Handler("past") { context in
            try await context.sleep("a", for: .zero)
            try await context.sleep("b", for: .seconds(-3))
            try await context.sleep("c", until: .distantPast)
            return .complete
        }
        try await withEngine([handler]) { engine in
            let events = engine.pool.events()
            let task = try await engine.client.spawn("past", params: nil)
            _ = try await task.result(timeout: .seconds(60))
            let end = try await events.first { kind in
                switch kind {
                case .suspended, .completed: true
                default: false
                }
            }
            if case .suspended = end.kind { Issue.record("it suspended") }
        }
    }

    @Test func `a sleep beyond what the database can store is refused by name`() async throws {
        let handler = Handler("far") { context in
            try await context.sleep(for: .seconds(1 << 60))
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "far", params: nil, options: SpawnOptions(maxAttempts: 1))
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(failure?.message.contains("10,000 years") == true)
        }
    }

    /// Waits for "a" for a moment, then for "b" without end.
    private static let twoWaits = Handler("waits") { context in
        do {
            let value = try await context.awaitEvent(
                "a", as: String.self, name: "first", timeout: .milliseconds(1))
            return .complete("first got \(value)")
        } catch is EventTimeout {
            let value = try await context.awaitEvent("b", as: String.self, name: "second")
            return .complete("second got \(value)")
        }
    }

    @Test(arguments: [false, true])
    func `a timeout that was told stays when the run is woken by another event`(comesLate: Bool) async throws
    {
        try await withEngine([Self.twoWaits]) { engine in
            let task = try await engine.client.spawn("waits", params: nil)
            try await eventually("the second wait is registered") {
                try await !engine.rows("select 1 from absurd.w_default where step_name = 'second'").isEmpty
            }
            if comesLate { try await engine.client.emitEvent("a", "too late") }
            try await engine.client.emitEvent("b", "it")
            #expect(try await task.result(timeout: .seconds(60)).stringValue == "second got it")
            #expect(try await engine.client.checkpoint("first", of: task.taskID) == nil)
        }
    }

    @Test func `a sleep until a date ends then, by the database's clock`() async throws {
        let end = Date.now.addingTimeInterval(1)
        let handler = Handler("until") { context in
            try await context.sleep("nap", until: end)
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("until", params: nil)
            _ = try await task.result(timeout: .seconds(60))
            let completed = try await engine.run("completed_at", of: task.taskID, as: PostgresTimestamp.self)
            #expect(completed.microseconds >= PostgresTimestamp(end).microseconds)
            let text = try #require(
                try await engine.client.checkpoint("nap", of: task.taskID)?.value.stringValue)
            #expect(ISO8601.parse(text) == PostgresTimestamp(end))
        }
    }

    @Test func `of two parallel waits the one that suspended the run wakes it, and both get their events`()
        async throws
    {
        let handler = Handler("both") { context in
            async let x = context.awaitEvent("x", as: Int.self)
            async let y = context.awaitEvent("y", as: Int.self)
            return .complete(.integer(Int64(try await x + y)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("both", params: nil)
            try await engine.waitUntil(task.taskID, is: .sleeping)
            let waits = try await engine.rows("select event_name from absurd.w_default")
            let registered = try waits.map { try $0.decode(0, as: String.self) }
            #expect(registered.count == 1)
            let other = registered == ["x"] ? "y" : "x"
            try await engine.client.emitEvent(other, 1)
            #expect(try await engine.run("state", of: task.taskID, as: String.self) == "sleeping")
            try await engine.client.emitEvent(registered[0], 2)
            #expect(try await task.result(timeout: .seconds(60)) == 3)
        }
    }

    @Test func `an explicit handler is told received, timed out and suspended`() async throws {
        let handler = Handler("explicit") { context in
            switch try await context.receiveEvent("\(context.taskID)", timeout: .milliseconds(200)) {
            case .received(let payload): return .complete(payload)
            case .timedOut: return .fail(["reason": "no event"], retry: .never)
            case .suspended: return .suspend
            }
        }
        try await withEngine([handler]) { engine in
            let late = try await engine.client.spawn("explicit", params: nil)
            let failure = await #expect(throws: TaskFailure.self) {
                try await late.result(timeout: .seconds(60))
            }
            #expect(failure?.details["reason"] == "no event")
            let task = try await engine.client.spawn("explicit", params: nil)
            try await engine.client.emitEvent("\(task.taskID)")
            #expect(try await task.result(timeout: .seconds(60)) == .null)
        }
    }

    /// Each wait suspends the handler, which then makes those before it again.
    @Test func `deadlines that passed stay passed in their attempt, whatever comes later`() async throws {
        let told = Mutex<[String]>([])
        let handler = Handler("patient") { context in
            for event in ["a", "b", "c"] {
                do {
                    try await context.awaitEvent(event, timeout: .milliseconds(50))
                    told.withLock { $0.append("\(event) came") }
                } catch is EventTimeout {
                    told.withLock { $0.append("no \(event)") }
                }
            }
            try await context.awaitEvent("go", timeout: .hours(1))
            if context.attempt == 1 { return .fail(["reason": "once more"]) }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("patient", params: nil)
            try await eventually("it waits for go") {
                try await engine.run("wake_event", of: task.taskID, as: String?.self) == "go"
            }
            // Too late for the first attempt, and there from the start for the second.
            for event in ["a", "b", "c"] { try await engine.client.emitEvent(event) }
            told.withLock { $0 = [] }
            try await engine.client.emitEvent("go")
            _ = try await task.result(timeout: .seconds(60))
            #expect(told.withLock(\.self) == ["no a", "no b", "no c", "a came", "b came", "c came"])
            let rows = try await engine.rows(
                "select checkpoint_name from absurd.c_default where checkpoint_name like '$timeout%' order by 1"
            )
            #expect(
                try rows.map { try $0.decode(0, as: String.self) }
                    == ["a", "b", "c"].map { "$timeout:1:$awaitEvent:\($0)" })
        }
    }

    @Test func `a wait whose name is as long as can be times out all the same`() async throws {
        // Of random letters, so that the index cannot compress them.
        let event = String(
            (0..<2_670).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement() ?? "a" })
        let handler = Handler("long") { context in
            do {
                try await context.awaitEvent(event, name: event, timeout: .milliseconds(50))
                return .complete("came")
            } catch is EventTimeout {
                return .complete("timed out")
            }
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("long", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == "timed out")
        }
    }

    @Test func `a null payload is an event and not a timeout`() async throws {
        let handler = Handler("null") { context in
            let payload = try await context.awaitEvent("n", as: Int?.self, timeout: .hours(1))
            return .complete(payload == nil ? "null" : "value")
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("null", params: nil)
            try await engine.waitUntil(task.taskID, is: .sleeping)
            try await engine.client.emitEvent("n")
            #expect(try await task.result(timeout: .seconds(60)) == "null")
        }
    }

    @Test func `a parent waits for children of its own queue without holding the only slot`() async throws {
        let child = TaskKind<Int, Int>("child")
        let parent = TaskKind<Int, Int>("parent")
        let handlers = [
            Handler(child) { number, _ in number * 2 },
            Handler(parent) { count, context in
                var handles: [TaskHandle<Int>] = []
                for number in 1...count { handles.append(try await context.spawn(child, number)) }
                var sum = 0
                for handle in handles { sum += try await context.result(of: handle) }
                return sum
            },
        ]
        try await withEngine(handlers, options: testOptions { $0.concurrency = 1 }) { engine in
            let task = try await engine.client.spawn(parent, 3)
            #expect(try await task.result(timeout: .seconds(60)) == 12)
            // Replays of the parent spawned nothing twice.
            #expect(try await engine.rows("select 1 from absurd.t_default").count == 4)
        }
    }

    @Test(arguments: ["default", "nobody"])
    func `a parent is told that a child is missing`(queue: String) async throws {
        let handler = Handler("parent") { context in
            let nobody = TaskHandle(
                client: context.client, queue: queue, taskID: TaskID(context.runID.uuid),
                runID: context.runID,
                attempt: 1, wasCreated: true, output: OutputCodec<JSONValue>.codable)
            do {
                return .complete(try await context.result(of: nobody))
            } catch let error as AbsurdError where error.code == .taskMissing {
                return .complete(.string(error.message))
            }
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("parent", params: nil)
            let message = try await task.result(timeout: .seconds(60)).stringValue
            #expect(message == "queue '\(queue)' has no task \(TaskID(task.runID.uuid))")
        }
    }

    @Test func `a failed child throws its failure in the parent`() async throws {
        let child = TaskKind<Void, Void>("child", maxAttempts: 1)
        let handlers = [
            Handler(child) { _ in throw TaskFailure("broken", retry: .never) },
            Handler("parent") { context in
                let handle = try await context.spawn(child)
                do {
                    try await context.result(of: handle)
                    return .complete("fine")
                } catch let failure as TaskFailure {
                    return .complete(.string(failure.message))
                }
            },
        ]
        try await withEngine(handlers) { engine in
            let task = try await engine.client.spawn("parent", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == "broken")
        }
    }

    @Test(arguments: [false, true])
    func `a heartbeat renews a claim that is due for it, also inside a step`(isInStep: Bool) async throws {
        let (before, after) = (HoldPoint(), HoldPoint())
        let handler = Handler("beats") { context in
            let beat: @Sendable () async throws -> Void = {
                await before.arriveAndWait()
                try await context.heartbeat(for: .hours(1))
                await after.arriveAndWait()
            }
            if isInStep {
                try await context.step("long", beat)
            } else {
                try await beat()
            }
            return .complete
        }
        try await withEngine([handler]) { engine in
            defer {
                before.open()
                after.open()
            }
            let task = try await engine.client.spawn("beats", params: nil)
            await before.untilArrived()
            let first = try await engine.run("claim_expires_at", of: task.taskID, as: PostgresTimestamp.self)
            before.open()
            // Still inside the step, whose own record would renew the claim too.
            await after.untilArrived()
            let second = try await engine.run("claim_expires_at", of: task.taskID, as: PostgresTimestamp.self)
            #expect(second > first)
            let lastsAnHour: Bool = try await engine.run(
                "claim_expires_at > now() + interval '59 minutes'", of: task.taskID)
            #expect(lastsAnHour)
            after.open()
            _ = try await task.result(timeout: .seconds(60))
        }
    }
}
