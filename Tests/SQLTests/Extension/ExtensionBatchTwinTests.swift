import Foundation
import LibPQ
import TestSupport
import Testing

/// What one call of `absurd_swift` does for several rows, and what calls of `absurd` do one by one, leaves the same rows.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionBatchTwinTests {
    @Test(arguments: QueueVariant.all, TwinWay.allCases)
    func `mixed batches leave the rows that single calls leave`(
        _ variant: QueueVariant, _ way: TwinWay
    ) async throws {
        try await variant.expectTwins(history, way) { twin in
            let states = try await twin.states()
            #expect(states == finalStates)
        }
    }

    private let finalStates = [
        "plain": "completed", "keyed": "completed", "failing": "completed", "late": "completed",
        "sleeper": "completed", "spent": "completed", "waiter": "completed", "cancelled": "cancelled",
        "second": "completed", "other key": "completed",
    ]

    /// One step a minute.
    private let history: [(any Twin) async throws -> Void] = [
        { twin in
            try await twin.spawn([
                ("plain", #"{"headers": {"a": 1}}"#), ("keyed", #"{"idempotency_key": "k"}"#),
                ("failing", #"{"max_attempts": 3}"#),
                ("late", #"{"retry_strategy": {"kind": "fixed", "base_seconds": 7200}}"#),
                ("sleeper", "{}"), ("spent", #"{"max_attempts": 1}"#), ("waiter", "{}"),
                ("cancelled", #"{"cancellation": {"max_duration": 7200}}"#),
                ("of the same key", #"{"idempotency_key": "k"}"#),
            ])
        },
        { try await $0.claim(timeout: 60) },
        { twin in
            try await twin.extend(
                ["plain", "keyed", "failing", "late", "sleeper", "spent", "waiter", "cancelled"], by: 3600)
            try await twin.checkpoint([
                ("plain", "1", #"{"a": [1, null]}"#), ("plain", "2", "2"), ("keyed", "1", "null"),
                ("waiter", "1", #""text""#),
            ])
        },
        { twin in
            try await twin.awaitEvent("keyed", step: "w", event: "e", timeout: nil)
            try await twin.awaitEvent("waiter", step: "w", event: "f", timeout: 600)
            try await twin.finish([
                .complete("plain", #"{"done": true}"#), .fail("failing", #"{"name": "Error"}"#, after: nil),
                .fail("late", #"{"name": "Error"}"#, after: 60), .sleep("sleeper", seconds: 90),
                .fail("spent", #"{"name": "Error"}"#, after: nil),
            ])
        },
        { twin in
            try await twin.emit([("e", #"{"x": 1}"#), ("nobody's", "0"), ("f", "2"), ("e", "3")])
            try await twin.cancel("cancelled")
            try await twin.spawn([
                ("second", "{}"), ("of the key again", #"{"idempotency_key": "k"}"#),
                ("other key", #"{"idempotency_key": "m"}"#),
                ("other key again", #"{"idempotency_key": "m"}"#),
            ])
            try await twin.retry("spent")
        },
        { try await $0.claim(timeout: 3600) },
        { twin in
            try await twin.checkpoint([("failing", "1", "1"), ("late", "1", "1"), ("spent", "1", "1")])
            try await twin.finish([
                .complete("keyed", "1"), .complete("failing", "2"), .fail("second", "{}", after: 60),
                .complete("late", "3"), .complete("sleeper", "null"), .complete("spent", "4"),
                .complete("waiter", "5"), .sleep("other key", seconds: 1),
            ])
        },
        { try await $0.claim(timeout: 3600) },
        { try await $0.finish([.complete("second", "6"), .complete("other key", "7")]) },
    ]
}
