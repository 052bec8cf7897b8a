import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ParallelStepsTests {
    @Test func `steps in flight are recorded before a sibling's wait parks the run`() async throws {
        let bodies = BodyCounter()
        let handler = Handler("parallel") { context in
            async let stock = context.step("stock") { try await bodies.run("stock") }
            async let mail = context.step("mail") { try await bodies.run("mail") }
            async let paid = context.awaitEvent("paid", as: Int.self)
            let values = try await (stock, mail, paid)
            return .complete(["\(values.0)", "\(values.1)", .integer(Int64(values.2))])
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("parallel", params: nil)
            try await engine.waitUntil(task.taskID, is: .sleeping)
            let recorded = try await engine.rows("select checkpoint_name from absurd.c_default order by 1")
            #expect(try recorded.map { try $0.decode(0, as: String.self) } == ["mail", "stock"])
            try await engine.client.emitEvent("paid", 9)
            #expect(try await task.result(timeout: .seconds(60)) == ["stock", "mail", 9])
        }
        #expect(bodies.counts == ["stock": 1, "mail": 1])
    }

    @Test func `a step that triggers the awaited event runs although the wait came first`() async throws {
        let handler = Handler("asks") { context in
            async let answer = context.awaitEvent("answer", as: Int.self)
            async let question: Void = context.step("question") {
                try await context.emitEvent("answer", 3)
            }
            let values = try await (question, answer)
            return .complete(.integer(Int64(values.1)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("asks", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 3)
        }
    }

    @Test func `equal names in parallel children fail and ask for names of their own`() async throws {
        let handler = Handler("twins") { context in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        try await context.step("same") { try await Task.sleep(for: .milliseconds(20)) }
                    }
                }
                try await group.waitForAll()
            }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "twins", params: nil, options: SpawnOptions(maxAttempts: 1))
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(failure?.message.contains("'same'") == true)
            #expect(failure?.message.contains("own name") == true)
        }
    }

    /// Children that never overlap are told apart only if their Swift tasks have different addresses (decision 006).
    @Test func `equal names in children that follow each other are numbered in their order, or refused`()
        async throws
    {
        let handler = Handler("throttled") { context in
            try await withThrowingTaskGroup(of: Int.self) { group in
                var order: [JSONValue] = []
                for number in 1...5 {
                    group.addTask { try await context.step("same") { number } }
                    if let value = try await group.next() { order.append(.integer(Int64(value))) }
                }
                return .complete(.array(order))
            }
        }
        try await withEngine([handler]) { engine in
            let tasks = try await engine.client.spawnMany(
                (0..<20).map { _ in
                    try SpawnRequest("throttled", params: nil, options: SpawnOptions(maxAttempts: 1))
                })
            for task in tasks {
                do {
                    #expect(try await task.result(timeout: .seconds(60)) == [1, 2, 3, 4, 5])
                    let names = try await engine.rows(
                        "select checkpoint_name from absurd.c_default where task_id = $1 order by state::int",
                        [.uuid(task.taskID.uuid)])
                    #expect(
                        try names.map { try $0.decode(0, as: String.self) }
                            == ["same", "same#2", "same#3", "same#4", "same#5"])
                } catch let failure as TaskFailure {
                    #expect(failure.message.contains("'same'") && failure.message.contains("own name"))
                }
            }
        }
    }

    @Test func `a loop numbers its steps as the other SDKs do`() async throws {
        let handler = Handler("loop") { context in
            var sum = 0
            for number in 1...3 { sum += try await context.step("add") { number } }
            return .complete(.integer(Int64(sum)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("loop", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 6)
            let rows = try await engine.rows("select checkpoint_name from absurd.c_default order by 1")
            #expect(try rows.map { try $0.decode(0, as: String.self) } == ["add", "add#2", "add#3"])
        }
    }

    @Test func `a durable call inside a step is refused by name`() async throws {
        let handler = Handler("nested") { context in
            try await context.step("outer") { try await context.step("inner") { 1 } }
            return .complete
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(
                "nested", params: nil, options: SpawnOptions(maxAttempts: 1))
            let failure = await #expect(throws: TaskFailure.self) {
                try await task.result(timeout: .seconds(60))
            }
            #expect(
                failure?.message.contains("'inner'") == true && failure?.message.contains("'outer'") == true)
        }
    }

    @Test func `open steps record once and replay`() async throws {
        let rounds = Mutex(0)
        let handler = Handler("open") { context in
            let step = try await context.beginStep("count", as: Int.self)
            if step.recorded == nil { rounds.withLock { $0 += 1 } }
            let value = try await context.completeStep(step, 7)
            try await context.sleep(for: .milliseconds(1))
            return .complete(.integer(Int64(value)))
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn("open", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == 7)
        }
        #expect(rounds.withLock(\.self) == 1)
    }
}

/// Counts how often each step's body ran; a body takes a moment, so that others start meanwhile.
private final class BodyCounter: Sendable {
    private let state = Mutex<[String: Int]>([:])

    var counts: [String: Int] { state.withLock(\.self) }

    func run(_ name: String) async throws -> String {
        state.withLock { $0[name, default: 0] += 1 }
        try await Task.sleep(for: .milliseconds(50))
        return name
    }
}
