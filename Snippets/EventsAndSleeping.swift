// Quoted by docs/events-and-sleeping.md.

import Absurd
import Foundation

struct Payment: Codable, Sendable {
    var confirmation: String
}
let ship = TaskKind<String, String>("ship", queue: "orders")

func handlers() -> [Handler] {
    // snippet.await
    let handler = Handler(ship) { orderID, context in
        do {
            let payment: Payment = try await context.awaitEvent("paid:\(orderID)", timeout: .days(3))
            return payment.confirmation
        } catch is EventTimeout {
            throw TaskFailure("order \(orderID) was not paid", retry: .never)
        }
    }
    // snippet.end

    // snippet.sleep
    let remind = Handler(TaskKind<String, Void>("remind", queue: "orders")) { orderID, context in
        try await context.sleep("a day", for: .days(1))
        try await context.step("first mail") { print("mail about \(orderID)") }
        let deadline = try await context.step("deadline") { Date.now.addingTimeInterval(7 * 86_400) }
        try await context.sleep("until the deadline", until: deadline)
        try await context.step("last mail") { print("last mail about \(orderID)") }
    }
    // snippet.end

    // snippet.ended
    let careful = Handler(TaskKind<String, String>("careful", queue: "orders")) { orderID, context in
        do {
            let payment: Payment = try await context.awaitEvent("paid:\(orderID)")
            return payment.confirmation
        } catch let ended as ExecutionEnded {
            throw ended
        } catch {
            return "not confirmed: \(error)"
        }
    }
    // snippet.end
    return [handler, remind, careful]
}

func emitting(_ absurd: AbsurdClient) async throws {
    // snippet.emit
    try await absurd.emitEvent("paid:A7", Payment(confirmation: "c-1"), on: "orders")
    // snippet.end

    // snippet.emit-with-row
    try await absurd.withTransaction { transaction in
        try await transaction.execute("update orders set paid = true where id = $1", "A7")
        try await transaction.emitEvent("paid:A7", Payment(confirmation: "c-1"), on: "orders")
    }
    // snippet.end
}
