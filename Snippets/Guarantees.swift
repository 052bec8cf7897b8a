// Quoted by docs/guarantees.md.

import Absurd

struct Order: Codable, Sendable {
    var id: String
    var amount: Int
}
protocol PaymentService: Sendable {
    func charge(_ amount: Int, idempotencyKey: String) async throws -> String
    func export(_ chunk: Int) async throws
}

func handlers(_ payments: some PaymentService) -> [Handler] {
    // snippet.repeatable
    let handler = Handler(TaskKind<Order, String>("charge_order", queue: "orders")) { order, context in
        try await context.step("charge") {
            try await payments.charge(order.amount, idempotencyKey: "\(context.taskID):charge")
        }
    }
    // snippet.end

    // snippet.heartbeat
    let export = Handler(TaskKind<Int, Void>("export", queue: "orders")) { chunks, context in
        try await context.step("export") {
            for chunk in 0..<chunks {
                try await payments.export(chunk)
                try await context.heartbeat()
            }
        }
    }
    // snippet.end
    return [handler, export]
}
