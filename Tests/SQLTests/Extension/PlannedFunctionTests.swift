import LibPQ
import TestSupport
import Testing

/// The functions that single queues have so that plans are kept.
@Suite(.timeLimit(.minutes(10)))
struct PlannedFunctionTests {
    private func functions(_ queue: ExtensionQueue) async throws -> [String] {
        try await queue.connection.query(
            """
            select p.proname::text collate "C" as name from pg_proc p
            where p.pronamespace = 'absurd_swift'::regnamespace and p.proname like '%:%' order by 1
            """
        ).map { try $0.decode("name") }
    }

    @Test(arguments: QueueVariant.all)
    func `a queue is given them once, whatever its name`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            var odd = queue
            odd.name = #"Ünlike "any" 'other' $f$ \ queue:1"#
            try await odd.create(variant.storageMode)
            for queue in [queue, odd] {
                try await queue.makeMissingFunctions()
                #expect(
                    try await queue.text(
                        "select count(*)::text from absurd_swift.missing_functions($1)", [.text(queue.name)])
                        == "0")
                let claim = try await queue.claimNew()
                #expect(try await queue.checkpoint([(claim, "s", "1")]).map(\.answer) == ["stored"])
                #expect(try await queue.finish([.init(claim, "complete", "1")]).map(\.answer) == ["done"])
            }
            #expect(try await functions(queue).count == 30)
        }
    }

    @Test func `they are renewed when their text has changed and dropped with their queue`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.makeMissingFunctions()
            try await queue.run(
                #"""
                create or replace function absurd_swift."done:q"(
                  text, uuid[], timestamptz[], text[], text[], timestamptz
                )
                  returns table(
                    "position" integer, answer text, task_state text, sqlstate text, message text, task_id uuid
                  )
                  language plpgsql
                as $$ begin raise exception 'an older text'; end $$
                """#)
            let claim = try await queue.claimNew()
            await #expect(throws: PostgresError.self) {
                _ = try await queue.finish([.init(claim, "complete")])
            }
            try await queue.makeMissingFunctions()
            #expect(try await queue.finish([.init(claim, "complete")]).map(\.answer) == ["done"])

            try await queue.run("select absurd.drop_queue('q')")
            let rows = try await queue.connection.query(
                "select statement from absurd_swift.missing_functions() where queue_name = 'q'")
            for row in rows { try await queue.run(try row.decode("statement")) }
            #expect(try await functions(queue) == [])
        }
    }

    @Test func `a queue that is made anew under their name is served by them`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.makeMissingFunctions()
            _ = try await queue.claimNew()
            try await queue.run("select absurd.drop_queue('q')")
            try await queue.create("partitioned")
            _ = try await queue.claimNew()
            #expect(try await queue.count("r") == 1)
        }
    }
}
