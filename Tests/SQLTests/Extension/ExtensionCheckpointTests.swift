import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionCheckpointTests {
    @Test(arguments: QueueVariant.all)
    func `the first write of a checkpoint wins and comes back`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            #expect(
                try await queue.checkpoint([(claim, "a", "1"), (claim, "b", "2"), (claim, "a", "3")])
                    == [.only("stored"), .only("stored"), .init(answer: "kept", value: "1")])
            #expect(
                try await queue.checkpoint([(claim, "a", "4"), (claim, "c", "5")])
                    == [.init(answer: "kept", value: "1"), .only("stored")])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a checkpoint that cannot be stored is refused alone`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b"])
            let claims = try await queue.claim()
            let answers = try await queue.checkpoint([
                (claims[0], "nul", #""\u0000""#), (claims[0], "good", "1"),
                (claims[1], "surrogate", #""\udfff""#),
                (claims[1], oversizeKey, "2"), (claims[1], " ", "3"), (claims[1], "good", "4"),
            ])
            #expect(
                answers.map(\.answer) == ["refused", "stored", "refused", "refused", "refused", "stored"])
            #expect(answers.map(\.sqlState) == ["22P05", nil, "22P02", "54000", "AS004", nil])
            #expect(try await queue.count("c") == 2)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a claim is renewed when less than two thirds of it is left, and never shortened`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let claim = try await queue.claimNew()
            func expiry() async throws -> String? {
                try await queue.text(
                    "select to_char(claim_expires_at at time zone 'UTC', 'HH24:MI:SS') from absurd.r_q")
            }
            try await queue.setClock("2030-01-01 10:00:05+00")
            _ = try await queue.checkpoint([(claim, "a", "1")], renewing: 30)
            #expect(try await expiry() == "10:00:30")
            try await queue.setClock("2030-01-01 10:00:11+00")
            _ = try await queue.checkpoint([(claim, "b", "1")], renewing: 30)
            #expect(try await expiry() == "10:00:41")
            _ = try await queue.renew([claim], timeout: 5)
            #expect(try await expiry() == "10:00:41")
            _ = try await queue.renew([claim], timeout: 600)
            #expect(try await expiry() == "10:10:11")
            _ = try await queue.checkpoint([(claim, "c", "1")], renewing: nil)
            #expect(try await expiry() == "10:10:11")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a claim without expiry stays without`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a"])
            let claim = try #require(try await queue.claim(timeout: 0).first)
            #expect(claim.expiry == nil)
            #expect(try await queue.renew([claim], timeout: 30) == [.only("renewed")])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `checkpoints are loaded as far as the attempt may see them, in pages of bytes`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let first = try await queue.claimNew()
            _ = try await queue.checkpoint([(first, "a", #""aaaa""#), (first, "b", nil)])
            _ = try await queue.finish([.init(first, "fail", "{}")])
            let second = try #require(try await queue.claim().first)
            #expect(second.attempt == 2)
            _ = try await queue.checkpoint([(second, "c", "3")])
            let other = try await queue.claimNew("other")
            _ = try await queue.checkpoint([(other, "z", "26")])

            func load(after position: Int64 = 0, _ step: String? = nil, bytes: Int64 = 1000) async throws
                -> [String]
            {
                try await queue.connection.query(
                    """
                    select concat_ws(' ', position, step, state) from absurd_swift.load_checkpoints($1, $2, $3, $4, $5)
                    """,
                    [
                        .text(queue.name), .uuidArray([second.run, other.run, first.run]), .int(position),
                        step.map { .text($0) } ?? .null, .int(bytes),
                    ]
                ).map { try $0.decode(0) }
            }
            #expect(try await load() == [#"1 a "aaaa""#, "1 b", "1 c 3", "2 z 26", #"3 a "aaaa""#, "3 b"])
            #expect(try await load(bytes: 8) == [#"1 a "aaaa""#, "1 b"])
            #expect(try await load(after: 1, "b", bytes: 3) == ["1 c 3", "2 z 26"])
            #expect(try await load(after: 3, "b") == [])
        }
    }
}
