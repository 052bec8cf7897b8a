import Absurd

/// The workflow: charge, then reserve and mail side by side, wait for the payment, cool down, hand out the receipt.
///
/// Each step runs inside ``Ledger/record(_:of:work:)``, which is there for the demonstration only: it counts how often
/// a step is really executed.
func orderHandler(shop: Shop, coolDown: Duration) -> Handler {
    Handler(processOrder) { order, context in
        let charge = try await context.step("charge") { try await shop.payments.charge(order) }

        async let stock: Void = context.step("reserve") { try await shop.warehouse.reserve(order) }
        async let mail: Void = context.step("receipt-mail") { try await shop.mailer.sendReceipt(order) }
        _ = try await (stock, mail)

        // Until it comes, this order holds no memory, no connection and no slot.
        let payment: Payment = try await context.awaitEvent(paymentEvent(order.id), timeout: .hours(1))
        try await context.sleep("cool-down", for: coolDown)
        return Receipt(charge: charge, confirmation: payment.confirmation)
    } onError: { failure, run in
        say("attempt \(run.attempt) at \(run.taskName) failed: \(failure.message)")
    }
}
