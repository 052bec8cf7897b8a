// Quoted by docs/tasks-and-steps.md.

import Absurd

struct Order: Codable, Sendable {
    var id: String
    var amount: Int
    var items: [String]
}
struct Receipt: Codable, Sendable {
    var charge: String
    var total: Int
}
protocol Services: Sendable {
    func charge(_ order: Order, key: String) async throws -> String
    func reserve(_ item: String) async throws -> Int
    func mail(_ order: Order) async throws
    func page(_ text: String) async
}

// snippet.kinds
let processOrder = TaskKind<Order, Receipt>(
    "process_order", queue: "orders", maxAttempts: 5,
    retry: .exponential(base: .seconds(2), cap: .minutes(10)),
    cancellation: CancellationPolicy(endWithin: .days(7)))
let remindCustomer = TaskKind<Order, Void>("remind_customer", queue: "orders")
let closeDay = TaskKind<Void, Int>("close_day", queue: "orders")
// snippet.end

func spawning(_ absurd: AbsurdClient, order: Order) async throws {
    // snippet.spawn
    let task = try await absurd.spawn(processOrder, order, idempotencyKey: "order-\(order.id)")
    print(task.taskID, task.wasCreated)
    let receipt = try await task.result(timeout: .seconds(30))
    // snippet.end
    _ = receipt

    // snippet.transaction
    try await absurd.withTransaction { transaction in
        try await transaction.execute(
            "insert into invoices (id, amount) values ($1, $2)", order.id, order.amount)
        try await transaction.spawn(remindCustomer, order)
    }
    // snippet.end
}

func handlers(_ services: some Services) -> [Handler] {
    // snippet.handler
    let process = Handler(processOrder) { order, context in
        let charge = try await context.step("charge") {
            try await services.charge(order, key: order.id)
        }
        try await context.step("mail") { try await services.mail(order) }
        return Receipt(charge: charge, total: order.amount)
    } onError: { failure, run in
        await services.page("\(run.taskName) \(run.taskID), attempt \(run.attempt): \(failure.message)")
    }
    // snippet.end

    // snippet.failure
    let remind = Handler(remindCustomer) { order, context in
        guard order.amount > 0 else { throw TaskFailure("nothing to pay", retry: .never) }
        do {
            try await context.step("mail") { try await services.mail(order) }
        } catch let error as ServiceBusy {
            throw TaskFailure("the mailer is busy", retry: .after(error.retryAfter))
        }
    }
    // snippet.end

    // snippet.loop
    let reserve = Handler(TaskKind<Order, Int>("reserve", queue: "orders")) { order, context in
        var reserved = 0
        for item in order.items {
            // Stored as reserve, reserve#2, reserve#3 …
            reserved += try await context.step("reserve") { try await services.reserve(item) }
        }
        return reserved
    }
    // snippet.end

    // snippet.parallel
    let prepare = Handler(TaskKind<Order, Int>("prepare", queue: "orders")) { order, context in
        async let mail: Void = context.step("mail") { try await services.mail(order) }
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for item in order.items {
                group.addTask {
                    try await context.step("reserve \(item)") { try await services.reserve(item) }
                }
            }
            return try await group.reduce(0, +)
        }
        try await mail
        return counts
    }
    // snippet.end

    // snippet.open-step
    let open = Handler(TaskKind<Order, String>("charge_openly", queue: "orders")) { order, context in
        let step = try await context.beginStep("charge", as: String.self)
        if let charge = step.recorded { return charge }
        let charge = try await services.charge(order, key: order.id)
        return try await context.completeStep(step, charge)
    }
    // snippet.end

    // snippet.children
    let close = Handler(closeDay) { context in
        let orders = try await context.step("open orders") { [Order(id: "A7", amount: 40, items: [])] }
        var tasks: [TaskHandle<Receipt>] = []
        for order in orders { tasks.append(try await context.spawn(processOrder, order)) }
        var total = 0
        for task in tasks { total += try await context.result(of: task).total }
        return total
    }
    // snippet.end

    // snippet.explicit
    let importFile = Handler("import_file") { context in
        switch try await context.receiveEvent("file:\(context.taskID)", timeout: .minutes(5)) {
        case .received(let payload): return .complete(payload)
        case .timedOut: return .fail(["message": "no file came"], retry: .never)
        case .suspended: return .suspend
        }
    }
    // snippet.end
    return [process, remind, reserve, prepare, open, close, importFile]
}

struct ServiceBusy: Error {
    var retryAfter: Duration
}
