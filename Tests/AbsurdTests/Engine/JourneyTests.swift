import Absurd
import LibPQ
import Synchronization
import TestSupport
import Testing

struct Order: Codable, Sendable, Hashable {
    var id: String
    var amount: Int
}

struct Receipt: Codable, Sendable, Hashable {
    var charge: String
    var paid: Int
}

let processOrder = TaskKind<Order, Receipt>("process_order")

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct JourneyTests {
    @Test func `a task goes through steps and an event to its result`() async throws {
        let executions = Mutex(0)
        let handler = Handler(processOrder) { order, context in
            let charge = try await context.step("charge") {
                executions.withLock { $0 += 1 }
                return "ch_\(order.id)"
            }
            let paid = try await context.awaitEvent("paid:\(order.id)", as: Int.self, timeout: .hours(1))
            return Receipt(charge: charge, paid: paid)
        }
        try await withEngine([handler]) { engine in
            let task = try await engine.client.spawn(processOrder, Order(id: "7", amount: 3))
            try await engine.waitUntil(task.taskID, is: .sleeping)
            try await engine.client.emitEvent("paid:7", 42)
            #expect(try await task.result(timeout: .seconds(60)) == Receipt(charge: "ch_7", paid: 42))
            #expect(try await task.snapshot()?.state == .completed)
        }
        #expect(executions.withLock(\.self) == 1)
    }
}
