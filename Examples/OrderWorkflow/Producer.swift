import Absurd

/// What the shop's web page does when somebody orders.
func placeOrder(_ order: Order) async throws {
    try await withAbsurd { absurd in
        _ = try await Shop.open(absurd)
        // Ordering twice by a double click spawns one task.
        let task = try await absurd.spawn(processOrder, order, idempotencyKey: "order-\(order.id)")
        print(task.taskID)
    }
}

/// What the webhook does that the payment service calls.
func confirmPayment(of orderID: String) async throws {
    try await withAbsurd { absurd in
        try await absurd.emitEvent(
            paymentEvent(orderID), Payment(confirmation: "confirmed-\(orderID)"), on: processOrder.queue)
    }
}
