import Absurd

/// Charges cards.
///
/// Fake, but with the one property that a real one has to have: a request that is repeated with the same
/// key, here the order's id, charges the card once.
struct PaymentService: Sendable {
    struct Busy: Error, CustomStringConvertible {
        var description: String { "the payment service is busy" }
    }

    private let absurd: AbsurdClient
    private let ledger: Ledger

    init(_ absurd: AbsurdClient, ledger: Ledger) {
        self.absurd = absurd
        self.ledger = ledger
    }

    func charge(_ order: Order) async throws -> String {
        try await ledger.record("charge", of: order) {
            if order.card == .busyOnce, try await isFirstRequest(order) { throw Busy() }
            try await book(order)
            // The card is charged. Whoever dies now does not know it yet.
            try await Task.sleep(for: order.card == .slow ? .milliseconds(1500) : .milliseconds(200))
            return "charge-\(order.id)"
        }
    }

    private func book(_ order: Order) async throws {
        try await absurd.withTransaction { transaction in
            try await transaction.execute(
                "insert into shop.charges (order_id, amount) values ($1, $2) on conflict (order_id) do nothing",
                order.id, order.amount)
        }
    }

    private func isFirstRequest(_ order: Order) async throws -> Bool {
        try await absurd.withTransaction { transaction in
            try await transaction.execute(
                "insert into shop.requests (order_id) values ($1) on conflict (order_id) do nothing", order.id
            ) == 1
        }
    }

    static let requestsTable = "create table if not exists shop.requests (order_id text primary key)"
    static let chargesTable = """
        create table if not exists shop.charges (order_id text primary key, amount bigint not null)
        """
}
