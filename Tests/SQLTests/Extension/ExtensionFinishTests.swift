import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionFinishTests {
    @Test(arguments: QueueVariant.all)
    func `each action sent again under its token is answered repeated and changes nothing`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["complete", "fail", "fail_final", "release", "sleep"])
            let rows = try await queue.claim().map { claim in
                ExtensionQueue.Finish(
                    claim, claim.taskName, "{}", delay: claim.taskName == "sleep" ? 3600 : nil)
            }
            #expect(rows.count == 5)
            #expect(try await queue.finish(rows).map(\.answer) == Array(repeating: "done", count: 5))
            let before = try await queue.contents()
            #expect(try await queue.finish(rows).map(\.answer) == Array(repeating: "repeated", count: 5))
            #expect(try await queue.contents() == before)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `values that cannot be stored are refused and their neighbours are written`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b", "c", "d", "e"])
            let claims = try await queue.claim()
            let answers = try await queue.finish([
                .init(claims[0], "complete", #""fine""#),
                .init(claims[1], "complete", #""\u0000""#),
                .init(claims[2], "fail", #"{"name": "\ud800"}"#),
                .init(claims[3], "sleep", "1", step: oversizeKey, delay: 60),
                .init(claims[4], "fail_final", "{}"),
            ])
            #expect(answers.map(\.answer) == ["done", "refused", "refused", "refused", "done"])
            #expect(answers.map(\.sqlState) == [nil, "22P05", "22P02", "54000", nil])
            #expect(try await queue.count("r", where: "state = 'running'") == 3)
            // What was refused can still be failed with a clean reason.
            #expect(
                try await queue.finish([.init(claims[1], "fail_final", "{}")])
                    == [.init(answer: "done", value: "failed")])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `an unknown action, a sleep without a time and a blank step are refused by name`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b", "c"])
            let claims = try await queue.claim()
            let answers = try await queue.finish([
                .init(claims[0], "finish"), .init(claims[1], "sleep"),
                .init(claims[2], "sleep", "1", step: " ", delay: 1),
            ])
            #expect(answers.map(\.sqlState) == ["AS002", "AS003", "AS004"])
            #expect(try await queue.count("r", where: "state = 'running'") == 3)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a run named twice is finished once`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            let answers = try await queue.finish([
                .init(claim, "complete", "1"), .init(claim, "complete", "2"),
            ])
            #expect(answers.map(\.answer) == ["done", "lost"])
            #expect(try await queue.finish([.init(claim, "complete", " 1 ")]).map(\.answer) == ["repeated"])
            #expect(try await queue.count("t", where: "completed_payload = '1'") == 1)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `the attempt after a failed one is due by the strategy, after the delay or at the time given`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let options = #"{"retry_strategy": {"kind": "fixed", "base_seconds": 3600}}"#
            var claims: [ExtensionQueue.Claim] = []
            for name in ["strategy", "delay", "time"] {
                claims.append(try await queue.claimNew(name, options: options))
            }
            let states = try await queue.connection.query(
                """
                select task_state from absurd_swift.finish(
                  $1, $2, $3, $4, $5, $6, $7,
                  array[null, null, '2030-03-04 05:06:07.000008+00']::timestamptz[],
                  array[null, 60, null]::double precision[]
                ) order by position
                """,
                [
                    .text(queue.name), .text(claims[0].worker), .uuidArray(claims.map(\.run)),
                    .timestampArray(claims.map(\.token)), .textArray(claims.map { _ in "fail" }),
                    .textArray(claims.map { _ in "{}" }), .textArray(claims.map { _ in nil }),
                ]
            ).map { try $0.decode(0, as: String.self) }
            #expect(states == ["sleeping", "sleeping", "sleeping"])

            let due = try await queue.connection.query(
                """
                select t.task_name || ' '
                         || to_char(r.available_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
                  from absurd.r_q r join absurd.t_q t on t.task_id = r.task_id
                 where r.attempt = 2 order by t.task_name
                """
            ).map { try $0.decode(0, as: String.self) }
            #expect(
                due == [
                    "delay 2030-01-01 10:01:00.000000", "strategy 2030-01-01 11:00:00.000000",
                    "time 2030-03-04 05:06:07.000008",
                ])

            try await queue.setClock("2030-03-04 05:06:07.000007+00")
            #expect(try await queue.claim().map(\.taskName) == ["delay", "strategy"])
            try await queue.setClock("2030-03-04 05:06:07.000008+00")
            #expect(try await queue.claim().map(\.taskName) == ["time"])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a sleep stores its checkpoint unless there is one, and a release spends no attempt`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let first = try await queue.claimNew()
            _ = try await queue.finish([.init(first, "sleep", #""first""#, step: "nap", delay: 0)])
            let second = try #require(try await queue.claim().first)
            #expect(second.isResumed)
            _ = try await queue.finish([.init(second, "sleep", #""second""#, step: "nap", delay: 0)])
            #expect(try await queue.count("c", where: #"state = '"first"'"#) == 1)

            let third = try #require(try await queue.claim().first)
            #expect(
                try await queue.finish([.init(third, "release")]) == [.init(answer: "done", value: "pending")]
            )
            let fourth = try #require(try await queue.claim().first)
            #expect(fourth.run == first.run)
            #expect(fourth.attempt == 1)
        }
    }
}

/// Too long for an index row, and too random to be compressed below the limit.
let oversizeKey: String = {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    return String((0..<20_000).map { _ in letters[Int.random(in: letters.indices)] })
}()
