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
                let next = try await queue.claimNew()
                #expect(try await queue.complete([(next, "1")]).map(\.answer) == ["done"])
            }
            #expect(try await functions(queue).count == 42)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `one task and one event go by the statements for one`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingFunctions()
            let put = variant.storageMode == "partitioned" ? "putp" : "put"
            for (function, columns) in [
                (
                    "\(put):q\"(uuid, uuid, text, jsonb, jsonb, jsonb, integer, jsonb, text, timestamptz)",
                    "made boolean"
                ),
                ("tell:q\"(text, jsonb, timestamptz)", "emitted boolean"),
            ] {
                try await queue.run(
                    """
                    create or replace function absurd_swift."\(function) returns table(\(columns)) language plpgsql
                    as $$ begin raise exception 'this one'; end $$
                    """)
            }
            _ = try await queue.spawn(["a", "b"])
            _ = try await queue.emitTogether([("a", "1"), ("b", "1")])
            for single in [
                { _ = try await queue.spawn(["c"]) }, { _ = try await queue.emitTogether([("c", "1")]) },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: PostgresError.self) { try await single() }
                #expect(error?.message.contains("this one") == true)
            }
        }
    }

    @Test func `a kind that earlier versions had is dropped`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.run(
                #"create function absurd_swift."heard:q"() returns integer language sql as 'select 1'"#)
            try await queue.makeMissingFunctions()
            #expect(try await functions(queue).count == 21)
            #expect(try await !functions(queue).contains("heard:q"))
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

    /// Spawned by the functions of its storage mode, or from the text, never by those of the other mode.
    @Test(arguments: QueueVariant.all)
    func `a queue that is made anew in the other storage mode keeps its idempotency keys`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let keyed = #"{"idempotency_key": "k"}"#
            for isRenewed in [false, true] {
                let modes = [variant, variant.inOtherMode].map(\.storageMode)
                for mode in isRenewed ? modes.reversed() : modes {
                    // The functions of the mode before are there, and their plans are kept in this session.
                    try await queue.run("select absurd.drop_queue('q')")
                    try await queue.create(mode)
                    if isRenewed { try await queue.run("select absurd_swift.make_functions('q')") }
                    let first = try await queue.spawn(["task", "task"], options: keyed)
                    #expect(first[0] == first[1])
                    #expect(try await queue.spawn(["task"], options: keyed) == [first[0]])
                    let known = try await queue.spawnNew(
                        try await queue.newTasks([("task", keyed), ("task", keyed)]))
                    #expect(
                        known.mapValues(\.value) == [
                            1: "\(first[0])".lowercased(), 2: "\(first[0])".lowercased(),
                        ])
                    #expect(try await queue.count("t") == 1)
                    #expect(try await queue.count("r") == 1)
                    if mode == "partitioned" { #expect(try await queue.count("i") == 1) }
                    let claim = try #require(try await queue.claim().first)
                    #expect(try await queue.finish([.init(claim, "complete")]).map(\.answer) == ["done"])
                    if !isRenewed { try await queue.makeMissingFunctions() }
                }
            }
        }
    }

    @Test(arguments: QueueVariant.all)
    func `those of the other storage mode are dropped when the queue is given its own`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingFunctions()
            let before = try await functions(queue)
            try await queue.run("select absurd.drop_queue('q')")
            try await queue.create(variant.inOtherMode.storageMode)
            try await queue.makeMissingFunctions()
            let changed = Set(try await functions(queue)).symmetricDifference(before)
            #expect(
                changed == [
                    "claim:q", "claip:q", "news:q", "newsp:q", "put:q", "putp:q", "spawn:q", "spawp:q",
                ])
            #expect(
                try await queue.text("select count(*)::text from absurd_swift.missing_functions()") == "0")
        }
    }

    @Test func `those of queues that are no more are listed under the whole name`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            var odd = queue
            odd.name = "a:b:c"
            try await odd.create("unpartitioned")
            try await odd.makeMissingFunctions()
            try await queue.makeMissingFunctions()
            try await queue.run("select absurd.drop_queue('a:b:c')")
            let names = "select string_agg(distinct queue_name, ', ') from absurd_swift.missing_functions($1)"
            #expect(try await queue.text(names, [.null]) == "a:b:c")
            #expect(try await queue.text(names, [.text("a:b:c")]) == "a:b:c")
            #expect(try await queue.text(names, [.text("q")]) == nil)
        }
    }
}
