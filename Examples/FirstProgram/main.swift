import Absurd
import Logging

struct Order: Codable, Sendable {
    var id: String
    var amount: Int
}

let processOrder = TaskKind<Order, String>("process_order")

let handlers = [
    Handler(processOrder) { order, context in
        let charge = try await context.step("charge") { "\(order.amount) charged" }
        let card: String = try await context.awaitEvent("paid:\(order.id)", timeout: .hours(1))
        return "order \(order.id): \(charge), paid by \(card)"
    }
]

await exitingOnError {
    var logger = Logger(label: "first-program")
    logger.logLevel = .warning
    try await withAbsurd(logger: logger) { absurd in
        let pool = try WorkerPool(absurd, handlers: handlers)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }

            let task = try await absurd.spawn(processOrder, Order(id: "A7", amount: 40))
            try await absurd.emitEvent("paid:A7", "Visa")
            print(try await task.result(timeout: .seconds(60)))
            group.cancelAll()
        }
    }
}
