import Absurd

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Books every execution of a step's body, also those that never come to an end.
///
/// It commits by itself, outside of anything that the workflow records; so after a crash the two can be compared.
struct Ledger: Sendable {
    private let absurd: AbsurdClient

    init(_ absurd: AbsurdClient) { self.absurd = absurd }

    func record<Value: Sendable>(
        _ step: String, of order: Order, work: () async throws -> Value
    ) async throws -> Value {
        let execution = UUID()
        try await absurd.withTransaction { transaction in
            try await transaction.execute(
                "insert into shop.executions (id, order_id, step) values ($1, $2, $3)", execution, order.id,
                step)
        }
        say("\(order.id) \(step) …")
        do {
            let value = try await work()
            try await close(execution, "done")
            return value
        } catch {
            try await close(execution, "failed")
            throw error
        }
    }

    private func close(_ execution: UUID, _ outcome: String) async throws {
        try await absurd.withTransaction { transaction in
            try await transaction.execute(
                "update shop.executions set outcome = $2, ended_at = clock_timestamp() where id = $1",
                execution,
                outcome)
        }
    }

    static let table = """
        create table if not exists shop.executions (
          id uuid primary key,
          order_id text not null,
          step text not null,
          outcome text,
          started_at timestamptz not null default clock_timestamp(),
          ended_at timestamptz
        )
        """
}
