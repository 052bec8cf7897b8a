import Foundation
import LibPQ
import TestSupport
import Testing

/// A claim and a write cost the same behind any backlog, whatever the planner knows of the tables.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionPlanTests {
    @Test(arguments: QueueVariant.all, [false, true])
    func `calls read about what they return behind 100,000 due runs`(
        _ variant: QueueVariant, isAnalyzed: Bool
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingIndexes()
            try await queue.register("w")
            try await queue.fill(100_000)
            if isAnalyzed { try await queue.run("analyze absurd.t_q, absurd.r_q") }
            for size: Int64 in [1, 500] { try await expectReads(queue, size) }
        }
    }

    /// What production executes: the queue's own functions, whose plans a session makes while the tables are empty, and
    /// keeps while they grow, or makes anew after they were analyzed.
    @Test(arguments: QueueVariant.all, Analysis.allCases)
    func `plans that were kept since the tables were empty read no more behind 100,000 due runs`(
        _ variant: QueueVariant, analysis: Analysis
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingIndexes()
            try await queue.makeMissingFunctions()
            try await queue.register("w")
            try await queue.turnAutovacuumOff()
            for size: Int64 in [1, 500] { try await expectReads(queue, size) }
            try await expectReadsOfClaimsBeside(queue)
            if analysis == .before || analysis == .whileSmall {
                try await queue.run("analyze absurd.t_q, absurd.r_q, absurd.c_q, absurd.e_q, absurd.w_q")
            }
            if analysis == .whileSmall {
                // The whole table is not much there, and may be read.
                for size: Int64 in [1, 500] { try await expectReads(queue, size, slack: 5_000) }
            }
            // Not so many that any plan is worse than one look-up a row.
            try await queue.fill(analysis == .before ? 30_000 : 100_000)
            if analysis == .after {
                try await queue.run("analyze absurd.t_q, absurd.r_q, absurd.c_q, absurd.e_q, absurd.w_q")
            }
            for size: Int64 in [1, 500] { try await expectReads(queue, size) }
            try await expectReadsOfClaimsBeside(queue)
        }
    }

    /// When the tables are analyzed: before they are filled the planner takes all runs for such as have ended, and
    /// plans that are made then and kept are those for a small table.
    enum Analysis: CaseIterable { case never, before, whileSmall, after }

    /// Spawns so many tasks, claims as many, and does to them whatever workers and producers do.
    private func expectReads(_ queue: ExtensionQueue, _ size: Int64, slack: Int = 10) async throws {
        let rows = (0..<size).map { _ in (name: "task", options: #"{"idempotency_key": "\#(UUID())"}"#) }
        var spawned: [ExtensionQueue.Spawned] = []
        try await queue.expectReads(perRow: 1, size, slack: slack) {
            spawned = try await queue.spawnTogether(rows)
        }
        try await queue.expectReads(perRow: 3, size, slack: slack) {
            let again = try await queue.spawnTogether(rows)
            #expect(again.map(\.task) == spawned.map(\.task) && !again.contains(where: \.isNew))
        }
        var claims: [ExtensionQueue.Claim] = []
        try await queue.expectReads(perRow: 4, size, slack: slack) {
            claims = try await queue.claim(limit: size, isRegistered: true)
        }
        #expect(claims.count == Int(size))
        try await queue.expectReads(perRow: 2, size, slack: slack) {
            _ = try await queue.checkpoint(claims.map { ($0, "s", "1") }, renewing: 3600)
        }
        try await queue.expectReads(perRow: 2, size, slack: slack) {
            _ = try await queue.renew(claims, timeout: 7200)
        }
        try await queue.expectReads(perRow: 3, size, slack: slack) {
            _ = try await queue.finish(claims.map { .init($0, "complete", "1") })
        }
        for isKeyed in [false, true] {
            let new = try await queue.newTasks(
                (0..<size).map { _ in ("task", isKeyed ? #"{"idempotency_key": "\#(UUID())"}"# : "{}") })
            try await queue.expectReads(perRow: 1, size, slack: slack) {
                let told = try await queue.spawnNew(new)
                #expect(told.isEmpty)
            }
        }
        let more = try await queue.claim(limit: size)
        #expect(more.count == Int(size))
        try await queue.expectReads(perRow: 3, size, slack: slack) {
            let answers = try await queue.complete(more.map { ($0, "1") })
            #expect(answers.allSatisfy { $0.answer == "done" })
        }
        try await queue.expectReads(perRow: 4, size, slack: slack) {
            let found = try await queue.connection.query(
                "select state from absurd_swift.task_results('q', $1, 'result:test')",
                [.uuidArray(claims.map(\.task))])
            #expect(found.count == Int(size))
        }
        try await expectReadsOfEvents(queue, size, slack: slack)
        let others = try await queue.spawnTogether(rows.map { ($0.name, "{}") }).map(\.task)
        try await queue.expectReads(perRow: 4, size, slack: slack) {
            let found = try await queue.connection.query(
                "select state from absurd_swift.task_results('q', $1, 'result:test')", [.uuidArray(others)])
            #expect(found.count == Int(size))
        }
        try await queue.expectReads(perRow: 9, size, slack: slack) {
            let answers = try await queue.cancel(others)
            #expect(answers.allSatisfy { $0.answer == "cancelled" })
        }
    }

    /// One task that is spawned and claimed at once, and that waits for an event which claims it again.
    private func expectReadsOfClaimsBeside(_ queue: ExtensionQueue) async throws {
        let row = try await queue.newTasks([("task", #"{"idempotency_key": "\#(UUID())"}"#)])[0]
        var claim: ExtensionQueue.Claim?
        try await queue.expectReads(perRow: 1, 1) {
            claim = try await queue.spawnAndClaim(row, timeout: 3600)
        }
        let spawned = try #require(claim)
        _ = try await queue.checkpoint([(spawned, "first", "1")])
        _ = try await queue.awaitEvent([(spawned, "s", "e \(row.run)")])
        try await queue.expectReads(perRow: 16, 1) {
            let emission = try await queue.emitAndClaim("e \(row.run)", "1")
            #expect(emission.claim?.run == row.run && emission.checkpoints.count == 2)
        }
        _ = try await queue.cancel([row.task])
    }

    /// The runs are made due before all others, so that they are the ones that are claimed.
    private func expectReadsOfEvents(_ queue: ExtensionQueue, _ size: Int64, slack: Int) async throws {
        let spawned = try await queue.spawnTogether((0..<size).map { _ in ("task", "{}") })
        try await queue.run(
            "update absurd.r_q set available_at = '2000-01-01' where task_id = any ($1)",
            [.uuidArray(spawned.map(\.task))])
        let claims = try await queue.claim(limit: size, timeout: 3600)
        #expect(Set(claims.map(\.task)) == Set(spawned.map(\.task)))
        try await queue.expectReads(perRow: 6, size, slack: slack) {
            _ = try await queue.awaitEvent(claims.map { ($0, "s", "e \($0.run)") })
        }
        try await expectReadsBesideWaits(queue, slack: slack)
        try await queue.expectReads(perRow: 16, size, slack: slack) {
            let answers = try await queue.emitTogether(claims.map { ("e \($0.run)", "1") })
            #expect(answers.allSatisfy { $0.answer == "emitted" })
        }
        // Else they would be what is claimed next.
        _ = try await queue.cancel(claims.map(\.task))
    }

    /// Tasks that wait for nothing are claimed, completed, failed and cancelled, while others wait.
    private func expectReadsBesideWaits(_ queue: ExtensionQueue, slack: Int) async throws {
        let tasks = try await queue.spawn(["first", "first", "task"])
        try await queue.run(
            "update absurd.r_q set available_at = '2000-01-01' where task_id = any ($1)",
            [.uuidArray(Array(tasks.prefix(2)))])
        var claims: [ExtensionQueue.Claim] = []
        try await queue.expectReads(perRow: 10, 2, slack: slack) { claims = try await queue.claim(limit: 2) }
        #expect(claims.map(\.taskName) == ["first", "first"])
        try await queue.expectReads(perRow: 3, 1, slack: slack) {
            let answers = try await queue.complete([(claims[0], "1")])
            #expect(answers.map(\.answer) == ["done"])
        }
        try await queue.expectReads(perRow: 9, 1, slack: slack) {
            let answers = try await queue.finish([.init(claims[1], "fail", "{}")])
            #expect(answers.map(\.answer) == ["done"])
        }
        // Else it would be what is claimed next.
        _ = try await queue.cancel([claims[1].task])
        try await queue.expectReads(perRow: 9, 1, slack: slack) { _ = try await queue.cancel([tasks[2]]) }
    }

    /// Each of the 500 waits meets only its own event.
    @Test(arguments: QueueVariant.unpartitioned, [false, true])
    func `500 events that are emitted together wake 500 runs in 16 reads each`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingIndexes()
            if isPlanned { try await queue.makeMissingFunctions() }
            try await queue.spawnTogether((0..<500).map { _ in ("task", "{}") })
            let claims = try await queue.claim(limit: 500, timeout: 3600)
            _ = try await queue.awaitEvent(claims.map { ($0, "s", "e \($0.run)") })
            try await queue.expectReads(perRow: 16, 500) {
                let answers = try await queue.emitTogether(claims.map { ("e \($0.run)", "1") })
                #expect(answers.allSatisfy { $0.answer == "emitted" })
            }
            #expect(try await queue.count("r", where: "state = 'pending'") == 500)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `the names of an emission are looked up and not compared one by one`(
        _ variant: QueueVariant, isAnalyzed: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isAnalyzed {
                try await queue.spawnTogether((0..<500).map { _ in ("task", "{}") })
                _ = try await queue.awaitEvent(
                    try await queue.claim(limit: 500, timeout: 3600).map { ($0, "s", "e \($0.run)") })
                try await queue.run("analyze absurd.t_q, absurd.r_q, absurd.e_q, absurd.w_q")
            }
            let statement = try #require(
                try await queue.text("select absurd_swift.wake_runs_statement('q')"))
            try await queue.connection.execute(
                script: """
                    set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
                    set enable_mergejoin = off; set enable_bitmapscan = off; set jit = off;
                    prepare wake(uuid[], text[], timestamptz) as \(statement)
                    """)
            let plan = try await queue.connection.query("explain execute wake(null, null, null)")
                .map { try $0.decode(0, as: String.self) }
            #expect(plan.contains { $0.contains("hashed SubPlan") }, "\(plan.joined(separator: "\n"))")
            #expect(!plan.contains { $0.contains("ANY ($2)") })
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `sweeps read about what they end beside 5,000 tasks that have ended`(
        _ variant: QueueVariant, isAnalyzed: Bool
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingIndexes()
            try await queue.setClock("2030-01-01 10:00:00+00")
            // Parents, so that what ends has somebody to wake.
            try await queue.spawn(Array(repeating: "parent", count: 20))
            let parents = try await queue.claim(limit: 20, timeout: 3600)
            let names = Array(repeating: "task", count: 10)
            var children = try await queue.spawn(names, options: #"{"cancellation": {"max_delay": 20}}"#)
            children += try await queue.spawn(names, options: #"{"max_attempts": 1}"#)
            _ = try await queue.awaitTask(zip(parents, children).map { ($0, "s", $1) })
            try await queue.run(
                """
                update absurd.r_q set state = 'running', claimed_by = 'w', claim_expires_at = absurd.current_time()
                 where task_id = any ($1)
                """, [.uuidArray(Array(children[10...]))])
            try await queue.run(
                "update absurd.t_q set state = 'running' where task_id = any ($1)",
                [
                    .uuidArray(Array(children[10...]))
                ])
            try await queue.run(
                """
                with t as (
                  insert into absurd.t_q (task_id, task_name, params, state, attempts)
                  select absurd.portable_uuidv7(), 'task', '{}', 'completed', 1 from generate_series(1, 5000)
                  returning task_id
                )
                insert into absurd.r_q (run_id, task_id, attempt, state, available_at)
                select absurd.portable_uuidv7(), task_id, 1, 'completed', absurd.current_time() from t
                """)
            if isAnalyzed {
                try await queue.run("analyze absurd.t_q, absurd.r_q")
            }
            try await queue.setClock("2030-01-01 10:00:30+00")
            try await queue.expectReads(perRow: 16, 20, slack: 60) {
                let answer = try await queue.claim(limit: 0)
                #expect(answer.isEmpty)
            }
            #expect(try await queue.count("t", where: "state in ('cancelled', 'failed')") == 20)
            #expect(try await queue.count("t", where: "task_name = 'parent' and state = 'pending'") == 20)
        }
    }

    /// No table is scanned, and no more rows are fetched than so many for each row of the call.
    @Test(arguments: QueueVariant.all, [false, true])
    func `waits, emissions, renewals and looks read about what they touch beside 5,000 of everything`(
        _ variant: QueueVariant, isAnalyzed: Bool
    ) async throws {
        for isPlanned in [false, true] {
            try await variant.withQueue { queue in
                try await queue.makeMissingIndexes()
                if isPlanned { try await queue.makeMissingFunctions() }
                try await expectReadsOfWaits(queue, isAnalyzed: isAnalyzed)
            }
        }
    }

    private func expectReadsOfWaits(_ queue: ExtensionQueue, isAnalyzed: Bool) async throws {
        try await fillWithWaits(queue, isAnalyzed: isAnalyzed)
        try await queue.spawn(Array(repeating: "task", count: 20))
        let claims = try await queue.claim(limit: 20, timeout: 3600)
        let children = claims.map(\.task)
        try await queue.expectReads(perRow: 2, 20) { _ = try await queue.renew(claims, timeout: 7200) }
        try await queue.expectReads(perRow: 2, 10) {
            _ = try await queue.checkpoint(claims[..<10].map { ($0, "before", "1") })
        }
        try await queue.expectReads(perRow: 6, 10) {
            let answers = try await queue.awaitEvent(claims[..<10].map { ($0, "s", "new \($0.run)") })
            #expect(answers.allSatisfy { $0.answer == "parked" })
        }
        try await queue.expectReads(perRow: 6, 10) {
            let answers = try await queue.awaitTask(
                zip(claims[10...], children).map { ($0, "s", $1) })
            #expect(answers.allSatisfy { $0.answer == "parked" })
        }
        try await queue.expectReads(perRow: 16, 10) {
            let answers = try await queue.emitTogether(claims[..<10].map { ("new \($0.run)", "1") })
            #expect(answers.allSatisfy { $0.answer == "emitted" })
        }
        try await queue.expectReads(perRow: 1, 3) { _ = try await queue.arm() }
        let resumed = try await queue.claim(limit: 20, timeout: 3600)
        #expect(resumed.count == 10)
        try await queue.expectReads(perRow: 5, 10) {
            let rows = try await queue.connection.query(
                "select * from absurd_swift.load_checkpoints('q', $1)",
                [.uuidArray(resumed.map(\.run))])
            #expect(rows.count == 20)
        }
        try await queue.expectReads(perRow: 6, 10) {
            _ = try await queue.finish(resumed.map { .init($0, "sleep", "1", step: "z", delay: 60) })
        }
    }

    /// Tasks that wait for events, with their checkpoints, beside as many that have ended.
    private func fillWithWaits(_ queue: ExtensionQueue, isAnalyzed: Bool) async throws {
        try await queue.run(
            """
            with t as (
              insert into absurd.t_q (task_id, task_name, params, state, attempts)
              select absurd.portable_uuidv7(), 'task', '{}', case when n % 2 = 0 then 'completed' else 'sleeping' end, 1
              from generate_series(1, 10000) n
              returning task_id, state
            ), r as (
              insert into absurd.r_q (run_id, task_id, attempt, state, available_at, wake_event)
              select absurd.portable_uuidv7(), task_id, 1, state, 'infinity',
                case when state = 'sleeping' then 'event ' || task_id end
              from t
              returning run_id, task_id, state, wake_event
            ), w as (
              insert into absurd.w_q (task_id, run_id, step_name, event_name, created_at)
              select task_id, run_id, 's', wake_event, now() from r where state = 'sleeping'
              returning event_name
            ), e as (
              insert into absurd.e_q (event_name, payload, emitted_at) select event_name, null, 'epoch' from w
            )
            insert into absurd.c_q (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
            select task_id, 'first', '1', 'committed', run_id, now() from r
            """)
        if isAnalyzed {
            try await queue.run("analyze absurd.t_q, absurd.r_q, absurd.c_q, absurd.e_q, absurd.w_q")
        }
    }
}

@Suite(.timeLimit(.minutes(10)))
struct ExtensionIndexTests {
    @Test(arguments: QueueVariant.all)
    func `official queues are given the index that the claim needs, once`(_ variant: QueueVariant)
        async throws
    {
        try await variant.withQueue { queue in
            let statements = try await queue.missingIndexes()
            #expect(statements.isEmpty == (variant.contents == .migrated))
            try await queue.makeMissingIndexes()
            #expect(try await queue.missingIndexes() == [])
            let plan = try await queue.connection.query(
                """
                explain select run_id from absurd.r_q where state in ('pending', 'sleeping')
                    and available_at <= now() order by available_at, run_id limit 1
                """
            ).map { try $0.decode(0, as: String.self) }
            #expect(plan.contains { $0.contains("rdy") || $0.contains("available_at_run_id_idx") })
        }
    }

    @Test func `an index that was left invalid is dropped first`() async throws {
        try await QueueVariant(contents: .official, storageMode: "unpartitioned").withQueue { queue in
            try await queue.makeMissingIndexes()
            try await queue.run(
                "update pg_index set indisvalid = false where indexrelid = 'absurd.r_q_rdy'::regclass")
            #expect(try await queue.missingIndexes().map { $0.prefix(4) } == ["drop", "crea"])
            try await queue.makeMissingIndexes()
            #expect(try await queue.missingIndexes() == [])
        }
    }
}

extension ExtensionQueue {
    func missingIndexes() async throws -> [String] {
        try await connection.query("select statement from absurd_swift.missing_indexes($1)", [.text(name)])
            .map { try $0.decode("statement") }
    }

    func makeMissingIndexes() async throws {
        for statement in try await missingIndexes() {
            try await connection.execute(script: statement)
        }
    }
}
