import Absurd

/// The services that an order goes through.
///
/// All of them are fake and keep their books in the same database.
struct Shop: Sendable {
    var payments: PaymentService
    var warehouse: Warehouse
    var mailer: Mailer

    init(_ absurd: AbsurdClient) {
        let ledger = Ledger(absurd)
        payments = PaymentService(absurd, ledger: ledger)
        warehouse = Warehouse(ledger: ledger)
        mailer = Mailer(ledger: ledger)
    }

    /// Creates the queue and the shop's own tables.
    ///
    /// Any number of programs may do that at once.
    static func open(_ absurd: AbsurdClient) async throws -> Shop {
        try await absurd.createQueue(processOrder.queue)
        try await absurd.withTransaction { transaction in
            // Two sessions that create the same table at the same time get in each other's way.
            try await transaction.execute("select pg_advisory_xact_lock(hashtextextended('shop', 0))")
            try await transaction.execute("create schema if not exists shop")
            try await transaction.execute(Ledger.table)
            try await transaction.execute(PaymentService.requestsTable)
            try await transaction.execute(PaymentService.chargesTable)
        }
        return Shop(absurd)
    }
}

struct Warehouse: Sendable {
    let ledger: Ledger

    func reserve(_ order: Order) async throws {
        try await ledger.record("reserve", of: order) { try await Task.sleep(for: .milliseconds(150)) }
    }
}

struct Mailer: Sendable {
    let ledger: Ledger

    func sendReceipt(_ order: Order) async throws {
        try await ledger.record("receipt-mail", of: order) { try await Task.sleep(for: .milliseconds(250)) }
    }
}
