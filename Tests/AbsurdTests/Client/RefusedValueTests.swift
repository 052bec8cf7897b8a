import Absurd
import LibPQ
import TestSupport
import Testing

/// Values that only the database finds fault with.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct RefusedValueTests {
    private func withClient(_ body: (AbsurdClient) async throws -> Void) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        try await body(client)
        await client.close()
    }

    private func expectRefusal(_ error: AbsurdError?, _ sqlState: String, _ part: String) {
        #expect(error?.code == .rejected)
        #expect(error?.sqlState == sqlState)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("PostgresError") == false)
    }

    @Test func `a payload with a NUL character is refused with the reason`() async throws {
        try await withClient { client in
            let error = await #expect(throws: AbsurdError.self) { try await client.emitEvent("e", "a\u{0}b") }
            expectRefusal(error, "22P05", "NUL")
            let inTransaction = await #expect(throws: AbsurdError.self) {
                try await client.withTransaction { try await $0.emitEvent("e", "a\u{0}b") }
            }
            expectRefusal(inTransaction, "22P05", "NUL")
            _ = try await client.spawn("t", params: nil)
            let run = try #require(try await client.claimRuns(workerID: "me").first)
            let byHand = await #expect(throws: AbsurdError.self) {
                try await client.setCheckpoint("s", of: run, to: "a\u{0}b")
            }
            expectRefusal(byHand, "22P05", "NUL")
        }
    }

    @Test func `a value that does not fit a statement of one's own is refused`() async throws {
        try await withClient { client in
            for (sql, state) in [
                ("select $1::text::integer", "22P02"), ("select 1 / ($1::text = '')::integer", "22012"),
                ("select (10 ^ 10 + length($1))::integer", "22003"),
            ] {
                let error = await #expect(throws: AbsurdError.self) {
                    try await client.withTransaction { try await $0.execute(sql, "secret") }
                }
                expectRefusal(error, state, "SQLSTATE \(state)")
                #expect(error?.message.contains("secret") == false)
            }
        }
    }

    @Test func `what is too large for an index or nested too deeply is refused`() async throws {
        try await withClient { client in
            // Random, because the server compresses what repeats.
            let name = String(
                (0..<20_000).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement() ?? "a" })
            let error = await #expect(throws: AbsurdError.self) { try await client.emitEvent(name) }
            expectRefusal(error, "54000", "too large")
        }
    }

    @Test(arguments: [0, -1, Int(Int32.max) + 1, 99_999_999_999_999])
    func `a cleanup limit that no queue can have is refused before anything is sent`(limit: Int) async throws
    {
        try await withClient { client in
            var change = QueuePolicyChange()
            change.cleanupLimit = limit
            let attempts: [() async throws -> Void] = [
                { try await client.setQueuePolicy("default", change) },
                { try await client.createQueue("other", policy: change) },
            ]
            for attempt in attempts {
                let error = await #expect(throws: AbsurdError.self) { try await attempt() }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("from 1 to 2147483647, and is \(limit)") == true)
            }
            let queues = try await client.queues()
            #expect(queues == ["default"])
        }
    }

    @Test func `an interval that is none or too long is refused with the form of one`() async throws {
        try await withClient { client in
            for text in ["soon", "99999999999 years", "999999999999999999999 days"] {
                var change = QueuePolicyChange()
                change.cleanupTTL = text
                let error = await #expect(throws: AbsurdError.self) {
                    try await client.setQueuePolicy("default", change)
                }
                #expect(error?.code == .rejected && error?.message.contains("'30 days'") == true, "\(text)")
            }
        }
    }

    @Test(arguments: ["", "a\u{0}b", String(repeating: "w", count: 201)])
    func `a claim by hand wants a worker id that can be stored`(workerID: String) async throws {
        try await withClient { client in
            let error = await #expect(throws: AbsurdError.self) {
                try await client.claimRuns(workerID: workerID)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("1 to 200 bytes without NUL") == true)
        }
    }

    @Test(arguments: ["", "q\u{0}", String(repeating: "q", count: 58)])
    func `a name that no queue can have is refused by every call for queues`(name: String) async throws {
        try await withClient { client in
            let attempts: [() async throws -> Void] = [
                { _ = try await client.queuePolicy(name) }, { try await client.dropQueue(name) },
                { try await client.setQueuePolicy(name, QueuePolicyChange()) },
                { try await client.createQueue(name) }, { try await client.ensurePartitions(name) },
            ]
            for attempt in attempts {
                let error = await #expect(throws: AbsurdError.self) { try await attempt() }
                #expect(error?.code == .invalidArgument && error?.message.contains("queue name") == true)
            }
        }
    }
}
