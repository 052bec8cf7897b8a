import Absurd

/// What a customer ordered.
///
/// The card decides how the payment service behaves, as test cards do.
struct Order: Codable, Sendable {
    var id: String
    var amount: Int
    var card: Card

    enum Card: String, Codable, Sendable, CaseIterable {
        case plain
        /// The service charges it and then takes its time to say so.
        case slow
        /// The service is too busy for the first request and takes the second.
        case busyOnce = "busy-once"
    }
}

/// What the webhook of the payment service tells.
struct Payment: Codable, Sendable {
    var confirmation: String
}

struct Receipt: Codable, Sendable {
    var charge: String
    var confirmation: String
}

/// Written once, for those who spawn the task and those who execute it.
let processOrder = TaskKind<Order, Receipt>(
    "process_order", queue: "orders", maxAttempts: 5, retry: .fixed(.seconds(1)))

func paymentEvent(_ orderID: String) -> String { "payment_confirmed_\(orderID)" }
