import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionFenceTests {
    @Test(arguments: QueueVariant.all)
    func `a claim that the same worker made again refuses every write of the first one`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let child = try await queue.spawn(["child"])[0]
            let stale = try await queue.claimNew()
            _ = try await queue.finish([.init(stale, "release")])
            _ = try await queue.claim()
            let before = try await queue.contents()

            let lost = ExtensionQueue.Answer.only("lost")
            for action in ["complete", "fail", "fail_final", "release"] {
                let answer = try await queue.finish([.init(stale, action, "{}")])
                #expect(answer.map(\.answer) == ["lost"], "\(action)")
            }
            #expect(
                try await queue.finish([.init(stale, "sleep", "1", step: "s", delay: 60)]).map(\.answer) == [
                    "lost"
                ])
            #expect(try await queue.checkpoint([(stale, "s", "1")], renewing: 30) == [lost])
            #expect(try await queue.renew([stale], timeout: 3600) == [lost])
            #expect(try await queue.awaitEvent([(stale, "s", "event")]) == [lost])
            #expect(try await queue.awaitTask([(stale, "s", child)]) == [lost])
            #expect(try await queue.contents() == before)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `another worker cannot write under a claim, though it knows run and token`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            var claim = try await queue.claimNew()
            claim.worker = "somebody else"
            let before = try await queue.contents()
            #expect(try await queue.finish([.init(claim, "complete")]).map(\.answer) == ["lost"])
            #expect(try await queue.checkpoint([(claim, "s", "1")]).map(\.answer) == ["lost"])
            #expect(try await queue.renew([claim], timeout: 3600).map(\.answer) == ["lost"])
            #expect(try await queue.contents() == before)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `two claims of a run have different tokens while the clock stands still`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let first = try await queue.claimNew()
            _ = try await queue.finish([.init(first, "release")])
            let second = try #require(try await queue.claim().first)
            #expect(second.run == first.run)
            #expect(second.token > first.token)
            #expect(try await queue.finish([.init(first, "complete")]).map(\.answer) == ["lost"])
            #expect(try await queue.finish([.init(second, "complete")]).map(\.answer) == ["done"])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `writes for a cancelled task and for a run failed elsewhere say so`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let cancelled = try await queue.claimNew("cancelled")
            let failed = try await queue.claimNew("failed", options: #"{"max_attempts": 1}"#)
            #expect(try await queue.cancel([cancelled.task]).map(\.answer) == ["cancelled"])
            try await queue.run(
                "select absurd.fail_run($1, $2, '{}')", [.text(queue.name), .uuid(failed.run)])

            #expect(
                try await queue.finish([.init(cancelled, "complete"), .init(failed, "complete")])
                    == [
                        .init(answer: "cancelled", value: "cancelled"),
                        .init(answer: "failed", value: "failed"),
                    ])
            #expect(
                try await queue.checkpoint([(cancelled, "s", "1"), (failed, "s", "1")]).map(\.answer)
                    == ["cancelled", "failed"])
            #expect(try await queue.renew([cancelled, failed]).map(\.answer) == ["cancelled", "failed"])
            #expect(
                try await queue.awaitEvent([(cancelled, "s", "e"), (failed, "s", "e")]).map(\.answer)
                    == ["cancelled", "failed"])
            #expect(try await queue.count("e") == 0)
        }
    }
}
