package import LibPQ

/// A promise, and the statement that finds what breaks it.
package struct Check: Sendable {
    package let promise: String
    /// Selects one text for each violation.
    package let violations: String

    package static let all = endings + spawns + values + fences + claims + events + timeouts + counters
}

/// A promise that rows of the history contradict.
package struct BrokenPromise: Sendable, CustomStringConvertible {
    package let promise: String
    package let count: Int
    /// The first few violations.
    package let examples: [String]

    package init(promise: String, count: Int, examples: [String] = []) {
        self.promise = promise
        self.count = count
        self.examples = examples
    }

    package var description: String {
        "\(promise): broken \(count) times\n" + examples.map { "    \($0)" }.joined(separator: "\n")
    }
}

extension Check {
    /// Nil when the promise was kept.
    package func run(
        _ query: (_ sql: String) async throws -> SQLRows
    ) async throws -> BrokenPromise? {
        let rows = try await query(
            """
            select v.violation, count(*) over () as count
              from (\(violations)) as v (violation) order by 1 limit 5
            """)
        guard let first = rows.first else { return nil }
        return BrokenPromise(
            promise: promise, count: try first.decode("count"),
            examples: try rows.map { try $0.decode("violation") })
    }
}
