import Foundation
import LibPQ
import TestSupport
import Testing

/// `complete` does what `finish` does, and speaks only of what went otherwise.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionCompleteTests {
    @Test(arguments: QueueVariant.all, [false, true])
    func `runs that are all held are completed without a word`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            try await queue.spawn(["a", "b", "c"])
            let claims = try await queue.claim().sorted { $0.taskName < $1.taskName }
            let told = try await queue.connection.query(
                "select * from absurd_swift.complete($1, $2, $3, $4, $5)",
                [
                    .text(queue.name), .text(claims[0].worker), .uuidArray(claims.map(\.run)),
                    .timestampArray(claims.map(\.token)), .textArray(["1", nil, #"{"a": 1}"#]),
                ])
            #expect(told.isEmpty)
            let results = try await queue.text(
                """
                select string_agg(t.task_name || ' ' || t.state || ' ' || t.completed_payload::text || ' '
                  || r.result::text, ', ' order by t.task_name)
                from absurd.t_q t join absurd.r_q r on r.run_id = t.last_attempt_run
                """)
            #expect(
                results
                    == #"a completed 1 1, b completed null null, c completed {"a": 1} {"a": 1}"#)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `each other answer is the one that finish gives, at the run's position`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            try await queue.spawn(["a held", "b done before", "c cancelled", "d released", "e held"])
            let claims = try await queue.claim().sorted { $0.taskName < $1.taskName }
            #expect(try await queue.complete([(claims[1], "1")]).map(\.answer) == ["done"])
            _ = try await queue.cancel([claims[2].task])
            _ = try await queue.finish([.init(claims[3], "release")])
            let rows = claims.map { ($0, "1" as String?) }
            let answers = try await queue.complete(rows)
            #expect(answers.map(\.answer) == ["done", "repeated", "cancelled", "lost", "done"])
            let before = try await queue.contents()
            #expect(
                try await queue.complete(rows).map(\.answer)
                    == ["repeated", "repeated", "cancelled", "lost", "repeated"])
            #expect(
                try await queue.complete(rows)
                    == queue.finish(claims.map { .init($0, "complete", "1") }))
            // Another result than the one that is stored was not recorded.
            #expect(try await queue.complete([(claims[0], "2")]).map(\.answer) == ["lost"])
            #expect(try await queue.contents() == before)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `a result that cannot be stored is refused, and its neighbours are completed`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            try await queue.spawn(["a", "b", "c"])
            let claims = try await queue.claim()
            let results: [String?] = ["1", #""\u0000""#, nil]
            let answers = try await queue.complete(Array(zip(claims, results)))
            #expect(answers.map(\.answer) == ["done", "refused", "done"])
            #expect(answers[1].sqlState == "22P05")
            #expect(try await queue.count("r", where: "state = 'running'") == 1)
            // Alone, too.
            #expect(try await queue.complete([(claims[1], "{")]).map(\.sqlState) == ["22P02"])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `who waits for the result is woken, and who listens is told`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let parent = try await queue.claimNew("parent")
            let child = try await queue.claimNew("child")
            #expect(try await queue.awaitTask([(parent, "r", child.task)]).map(\.answer) == ["parked"])
            _ = try await queue.connection.query(
                "select state from absurd_swift.task_results('q', $1, 'result:me')",
                [.uuidArray([child.task])])
            let listeners = "select string_agg(task_id::text, ',') from absurd_swift.result_listeners"
            #expect(try await queue.text(listeners) == child.task.uuidString.lowercased())
            #expect(try await queue.complete([(child, "7")]).map(\.answer) == ["done"])
            #expect(try await queue.claim().map(\.task) == [parent.task])
            #expect(try await queue.text(listeners) == nil)
        }
    }

    @Test func `arrays of different lengths and a queue that is NULL are refused by name`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            let claim = try await queue.claimNew()
            for (name, results, state) in [
                (SQLParameter.text("q"), ["1", "2"], "AS001"), (.null, ["1"], "22004"),
                (.text("unknown"), ["1"], "42P01"),
            ] {
                let error = await #expect(throws: PostgresError.self) {
                    try await queue.connection.query(
                        "select * from absurd_swift.complete($1, 'w', $2, $3, $4)",
                        [name, .uuidArray([claim.run]), .timestampArray([claim.token]), .textArray(results)])
                }
                #expect(error?.sqlState == state)
            }
            #expect(try await queue.complete([]).isEmpty)
        }
    }
}
