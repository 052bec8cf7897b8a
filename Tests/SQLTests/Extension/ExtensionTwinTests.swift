import Foundation
import LibPQ
import TestSupport
import Testing

/// The same history, once through the functions of `absurd` and once through those of `absurd_swift`.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionTwinTests {
    @Test(arguments: QueueVariant.all, [TwinWay.text, .planned])
    func `the same history leaves the same rows`(_ variant: QueueVariant, _ way: TwinWay) async throws {
        try await variant.expectTwins(history, way) { twin in
            let (rows, states) = (try await twin.rows(), try await twin.states())
            #expect(rows.contains { $0.contains("$ClaimTimeout") })
            #expect(states == finalStates)
        }
    }

    private let finalStates = [
        "completed": "completed", "retried": "completed", "spent": "failed", "explicit": "sleeping",
        "over": "cancelled", "sleeper": "completed", "waiter": "completed", "late": "completed",
        "crashed": "completed", "unstarted": "cancelled", "cancelled": "cancelled", "slow": "cancelled",
    ]

    /// One step a minute.
    private let history: [(any Twin) async throws -> Void] = [
        { twin in
            for (name, options) in [
                ("completed", #"{"headers": {"a": "b"}, "idempotency_key": "k"}"#),
                ("retried", #"{"max_attempts": 3}"#),
                ("spent", #"{"max_attempts": 1}"#),
                ("explicit", #"{"retry_strategy": {"kind": "exponential", "base_seconds": 7200}}"#),
                (
                    "over",
                    #"{"retry_strategy": {"kind": "fixed", "base_seconds": 7200}, "cancellation": {"max_duration": 7200}}"#
                ),
                ("sleeper", "{}"), ("waiter", "{}"), ("late", "{}"), ("crashed", "{}"), ("cancelled", "{}"),
                ("slow", #"{"cancellation": {"max_duration": 600, "max_delay": 60}}"#),
            ] {
                try await twin.spawn(name, options)
            }
        },
        { try await $0.claim(timeout: 3600) },
        { twin in
            try await twin.spawn("unstarted", #"{"cancellation": {"max_delay": 60}}"#)
            try await twin.checkpoint("completed", step: "s", #"{"a": [1, null]}"#)
            try await twin.complete("completed", #"{"done": true}"#)
            for name in ["retried", "spent", "explicit", "over"] {
                try await twin.fail(name, #"{"name": "Error", "message": "m"}"#)
            }
            try await twin.sleep("sleeper", seconds: 120)
            try await twin.awaitEvent("waiter", step: "w", event: "e", timeout: nil)
            try await twin.awaitEvent("late", step: "l", event: "f", timeout: 60)
            try await twin.cancel("cancelled")
        },
        { twin in
            try await twin.emit("e", #"{"x": 1}"#)
            try await twin.claim(timeout: 60)
        },
        { twin in
            try await twin.awaitEvent("waiter", step: "w", event: "e", timeout: nil)
            try await twin.complete("waiter", "null")
            // Told of its timeout, then parked again.
            try await twin.awaitEvent("late", step: "l", event: "f", timeout: 60)
            try await twin.awaitEvent("late", step: "l", event: "f", timeout: 60)
            try await twin.complete("retried", "1")
        },
        { twin in
            try await twin.claim(timeout: 60)
            try await twin.emit("f", "2")
            try await twin.awaitEvent("late", step: "l", event: "f", timeout: 60)
            try await twin.complete("late", "[]")
            try await twin.complete("sleeper", "3")
        },
        { twin in
            // A short claim, to expire.
            try await twin.expire("crashed")
            try await twin.claim(timeout: 3600)
        },
        { try await $0.complete("crashed", "4") },
        { _ in }, { _ in }, { _ in }, { _ in },
        { try await $0.claim(timeout: 3600) },
    ]
}
