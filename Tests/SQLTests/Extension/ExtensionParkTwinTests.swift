import LibPQ
import TestSupport
import Testing

/// What parks runs and resumes them, with the checkpoints on the way, as a handler's calls do it.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionParkTwinTests {
    @Test(arguments: QueueVariant.all, [TwinWay.text, .planned])
    func `runs that sleep, wait and are given back leave the rows that single calls leave`(
        _ variant: QueueVariant, _ way: TwinWay
    ) async throws {
        try await variant.expectTwins(history, way) { twin in
            let states = try await twin.states()
            #expect(states == finalStates)
            let seen = try await twin.visibleCheckpoints().mapValues { Set($0.map(\.step)) }
            #expect(seen["retried 1"] == ["first"])
            #expect(seen["retried 2"] == ["first", "second"])
            #expect(seen["waiter 1"] == ["w"])
            #expect(seen["beside 1"] == ["first", "w"])
            #expect(seen["late 1"] == ["first", "w"])
        }
    }

    private let finalStates = Dictionary(
        uniqueKeysWithValues: [
            "endless", "plain", "sleeper", "waiter", "beside", "late", "early", "known", "retried",
        ].map { ($0, "completed") })

    /// One step a minute.
    private let history: [(any Twin) async throws -> Void] = [
        { try await $0.spawn([("endless", "{}")]) },
        { twin in
            try await twin.claim(timeout: 0)
            try await twin.emit([("past", #"{"x": 1}"#)])
            try await twin.spawn([
                ("plain", "{}"), ("sleeper", "{}"), ("waiter", "{}"), ("beside", "{}"), ("late", "{}"),
                ("early", "{}"), ("known", "{}"),
                ("retried", #"{"retry_strategy": {"kind": "fixed", "base_seconds": 30}}"#),
            ])
        },
        { try await $0.claim(timeout: 60) },
        { twin in
            // Most of the claims is gone; that of the first does not end.
            let names = [
                "endless", "plain", "sleeper", "waiter", "beside", "late", "early", "known", "retried",
            ]
            try await twin.checkpoint(names.map { ($0, "first", "{\"of\": \"\($0)\"}") }, renewing: 3600)
        },
        { twin in
            try await twin.awaitEvents([
                TwinWait("waiter", step: "w", event: "e"),
                TwinWait("beside", step: "w", event: "e", timeout: 600),
                TwinWait("late", step: "w", event: "f", timeout: 60),
                TwinWait("early", step: "w", event: "past", timeout: 600),
                TwinWait("known", step: "first", event: "nobody's"),
            ])
            try await twin.finish([
                .sleep("plain", seconds: 60),
                .sleep("sleeper", seconds: 120, step: "z", until: #""2030-01-01T10:06:00Z""#),
                .fail("retried", #"{"name": "Error"}"#, after: nil),
            ])
        },
        { twin in
            // The first is given back with what it has written, one with an event that it has not asked for again.
            try await twin.release(["known", "early"])
            try await twin.claim(timeout: 3600)
        },
        { twin in
            try await twin.emit([("e", "2")])
            // Told of its timeout, then parked again.
            try await twin.awaitEvents([TwinWait("late", step: "w", event: "f", timeout: 60)])
            try await twin.checkpoint([("retried", "second", "null")])
        },
        { twin in
            try await twin.awaitEvents([
                TwinWait("late", step: "w", event: "f", timeout: 3600),
                TwinWait("plain", step: "w", event: "f", timeout: 3600),
            ])
            try await twin.claim(timeout: 3600)
        },
        { twin in
            try await twin.emit([("f", #"{"y": [1]}"#)])
            try await twin.release(["waiter", "beside"])
            try await twin.claim(timeout: 3600)
            try await twin.awaitEvents([
                TwinWait("waiter", step: "w", event: "e"), TwinWait("beside", step: "w", event: "e"),
                TwinWait("late", step: "w", event: "f"), TwinWait("plain", step: "w", event: "f"),
            ])
        },
        { twin in
            // Checkpoints that no run may see, or whose owner is gone.
            let table = "absurd.\"c_\(twin.queue.name)\""
            for (name, change) in [
                ("waiter", "status = 'pending'"),
                ("beside", "owner_run_id = '00000000-0000-7000-8000-000000000000'"),
            ] {
                try await twin.queue.run(
                    "update \(table) set \(change) where task_id = $1 and checkpoint_name = 'first'",
                    [.uuid(try await twin.task(name))])
            }
        },
        { twin in
            try await twin.finish(
                ["endless", "plain", "sleeper", "waiter", "beside", "late", "early", "known", "retried"].map {
                    .complete($0, "1")
                })
        },
    ]
}
