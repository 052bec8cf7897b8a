import Foundation
import LibPQ
import TestSupport
import Testing

/// `spawn_and_claim` and `emit_and_claim`: what they make due is claimed with the same statement.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionClaimBesideTests {
    /// A queue with its functions and its trigger, whose worker `w` is registered.
    private func withQueue(
        _ variant: QueueVariant = QueueVariant.all[0], _ body: (ExtensionQueue) async throws -> Void
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeTrigger()
            try await queue.makeMissingFunctions()
            try await queue.register("w")
            try await body(queue)
        }
    }

    private static let options = [
        nil, "{}", #"{"idempotency_key": "a"}"#, #"{"max_attempts": 3, "headers": {"h": 1}}"#,
        #"{"idempotency_key": "b", "cancellation": {"max_delay": 60}}"#,
        #"{"cancellation": {"max_delay": 60, "max_duration": 600}}"#,
        #"{"retry_strategy": {"kind": "fixed", "base_seconds": 5}}"#,
    ]

    @Test(arguments: QueueVariant.all, BesideCall.allCases)
    func `a task is left as a spawn and a claim at the same moment leave it`(
        _ variant: QueueVariant, _ call: BesideCall
    ) async throws {
        try await withQueue(variant) { queue in
            var twin = queue
            twin.name = "twin"
            try await twin.create(variant.storageMode)
            try await queue.setClock("2030-01-01 10:00:00+00")
            for (number, options) in Self.options.enumerated() {
                let timeout: Int64 = number == 0 ? 0 : 30
                let row = try await queue.newTasks([("task \(number)", options)])[0]
                let claim = try #require(try await queue.spawnAndClaim(row, timeout: timeout, by: call))
                _ = try await twin.spawn(["task \(number)"], options: options)
                let other = try await twin.claim(timeout: timeout)[0]
                #expect(claim.run == row.run && claim.task == row.task && !claim.isResumed)
                #expect(claim.taskName == other.taskName && claim.token == other.token)
                #expect(claim.expiry == other.expiry && claim.due == other.due)
            }
            #expect(try await queue.history() == twin.history())
            if variant.storageMode == "partitioned" { #expect(try await queue.count("i") == 2) }
        }
    }

    @Test(arguments: QueueVariant.all, BesideCall.allCases)
    func `a resend, a taken key, a blank name and odd ids make nothing`(
        _ variant: QueueVariant, _ call: BesideCall
    ) async throws {
        try await withQueue(variant) { queue in
            let keyed = #"{"idempotency_key": "k"}"#
            let row = try await queue.newTasks([("task", keyed)])[0]
            #expect(try await queue.spawnAndClaim(row, by: call) != nil)
            #expect(try await queue.spawnAndClaim(row, by: call) == nil)
            var others = try await queue.newTasks([("taken", keyed), (" ", nil), ("odd", nil)])
            others[2].task = try #require(UUID(uuidString: "00000000-0000-7000-8000-000000000000"))
            for other in others { #expect(try await queue.spawnAndClaim(other, by: call) == nil) }
            var unnamed = try await queue.newTasks([("x", nil)])[0]
            unnamed.name = nil
            #expect(try await queue.spawnAndClaim(unnamed, by: call) == nil)
            #expect(try await queue.count("t") == 1)
            #expect(try await queue.count("r") == 1)
        }
    }

    @Test func `a value at fault is raised, and spawn would answer it`() async throws {
        try await withQueue { queue in
            for (params, options, state) in [
                ("{", nil, "22P02"), (#""\u0000""#, nil, "22P05"), ("1", "{", "22P02"),
                ("1", #"{"max_attempts": 0}"#, "AS007"),
                ("1", #"{"retry_strategy": {"kind": "odd"}}"#, "AB003"),
                ("1", #"{"idempotency_key": "\#(oversizeKey)"}"#, "54000"),
            ] as [(String, String?, String)] {
                var row = try await queue.newTasks([("task", options)])[0]
                row.params = params
                let error = await #expect(throws: PostgresError.self) { try await queue.spawnAndClaim(row) }
                #expect(error?.sqlState == state)
            }
            #expect(try await queue.count("t") == 0)
        }
    }

    @Test(arguments: BesideCall.allCases)
    func `a worker that is gone gets nothing, and the row of one is left alone`(_ call: BesideCall)
        async throws
    {
        try await withQueue { queue in
            let rows = try await queue.newTasks([("task", nil), ("task", nil)])
            let waiting = try await queue.claimNew()
            _ = try await queue.awaitEvent([(waiting, "s", "e")])
            for attempt in [
                { _ = try await queue.spawnAndClaim(rows[0], worker: "stranger", by: call) },
                { _ = try await queue.emitAndClaim("e", worker: "stranger", by: call) },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: PostgresError.self) { try await attempt() }
                #expect(error?.sqlState == "AS009")
            }
            #expect(try await queue.count("t") == 1)
            #expect(try await queue.count("e", where: "payload is not null") == 0)
            #expect(try await queue.spawnAndClaim(rows[0], by: call) != nil)
            let emission = try await queue.emitAndClaim("e", by: call)
            #expect(emission.claim != nil)
            #expect(
                try await queue.text(
                    "select concat_ws(' ', running, claimed_at is null) from absurd_swift.workers")
                    == "0 t")
            #expect(try await queue.text("select absurd_swift.deregister('w')::text") == "false")
        }
    }

    /// The commit waits for the disk, and may for standbys.
    @Test func `beats of the worker do not wait for a commit`() async throws {
        try await withQueue { queue in
            let other = try await queue.elsewhere()
            let claim = try await queue.claimNew()
            _ = try await queue.awaitEvent([(claim, "s", "e")])
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.spawnAndClaim(try await queue.newTasks([("task", nil)])[0]) != nil)
            let emission = try await queue.emitAndClaim("e")
            #expect(emission.claim != nil)
            #expect(try await other.beat(["w"], running: 2).gone == "")
            try await queue.connection.execute(script: "commit")
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a task whose policy ends at once is left to spawn`(_ variant: QueueVariant) async throws {
        try await withQueue(variant) { queue in
            let options = #"{"idempotency_key": "k", "cancellation": {"max_delay": 0}}"#
            let row = try await queue.newTasks([("task", options)])[0]
            #expect(try await queue.spawnAndClaim(row) == nil)
            #expect(try await queue.count("t") == 0)
            if variant.storageMode == "partitioned" { #expect(try await queue.count("i") == 0) }
        }
    }

    @Test func `a queue whose name looks like a parameter has no such functions`() async throws {
        try await withQueue { queue in
            var odd = queue
            odd.name = "pay$1"
            try await odd.create("unpartitioned")
            try await odd.makeMissingFunctions()
            let row = try await odd.newTasks([("task", nil)])[0]
            #expect(try await odd.spawnAndClaim(row, by: .schema) == nil)
            let emission = try await odd.emitAndClaim("e", by: .schema)
            #expect(emission.answer == nil)
            #expect(try await odd.spawn(["task"]).count == 1)
        }
    }

    /// Who takes a worker for dead either comes first, or finds the run.
    @Test func `a worker is not given up before its claim can be seen`() async throws {
        try await withQueue { queue in
            let other = try await queue.elsewhere()
            // Its own limit is too short for a test that watches it wait.
            try await queue.run(
                "alter function absurd_swift.worker_lost(text, integer) set lock_timeout = '1min'")
            let rows = try await queue.newTasks([("task", nil), ("task", nil)])
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.spawnAndClaim(rows[0]) != nil)
            async let verdict = other.workerLost("w")
            try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await verdict == .init("w", runs: 1, isOut: true))
            let error = await #expect(throws: PostgresError.self) { try await queue.spawnAndClaim(rows[1]) }
            #expect(error?.sqlState == "AS009")
            #expect(try await queue.count("t") == 1)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a function that is left of a queue of the other storage mode makes nothing`(
        _ variant: QueueVariant
    ) async throws {
        try await withQueue(variant) { queue in
            try await queue.run("select absurd.drop_queue('q')")
            try await queue.create(variant.inOtherMode.storageMode)
            let row = try await queue.newTasks([("task", #"{"idempotency_key": "k"}"#)])[0]
            #expect(try await queue.spawnAndClaim(row) == nil)
            #expect(try await queue.count("t") == 0)
            try await queue.makeMissingFunctions()
            #expect(try await queue.spawnAndClaim(row) != nil)
        }
    }

    @Test func `without functions of its own a queue is left to spawn and emit`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.register("w")
            let row = try await queue.newTasks([("task", nil)])[0]
            #expect(try await queue.spawnAndClaim(row, by: .schema) == nil)
            let emission2 = try await queue.emitAndClaim("e", by: .schema)
            #expect(emission2.answer == nil)
            #expect(try await queue.count("t") == 0)
            #expect(try await queue.count("e") == 0)
        }
    }
}

// MARK: - Events

extension ExtensionClaimBesideTests {
    /// Policies in seconds of a task that waits for `e`, after a first step.
    private static let waiters: [(options: String?, timeout: Double?)] = [
        (nil, nil), (#"{"max_attempts": 3, "headers": {"h": 1}}"#, 300),
        (#"{"cancellation": {"max_duration": 600}}"#, nil),
        (
            #"{"cancellation": {"max_delay": 60}, "retry_strategy": {"kind": "fixed", "base_seconds": 5}}"#,
            300
        ),
    ]

    private func wait(
        _ queue: ExtensionQueue, _ event: String, _ waiter: (options: String?, timeout: Double?)
    )
        async throws
    {
        let claim = try await queue.claimNew(options: waiter.options)
        _ = try await queue.checkpoint([(claim, "first", #"{"a": 1}"#), (claim, "null", "null")])
        let answers = try await queue.awaitEvent([(claim, "s", event)], timeout: waiter.timeout)
        #expect(answers.map(\.answer) == ["parked"])
    }

    @Test(arguments: QueueVariant.all, BesideCall.allCases)
    func `a run that waited is left as an emission and a claim at the same moment leave it`(
        _ variant: QueueVariant, _ call: BesideCall
    ) async throws {
        try await withQueue(variant) { queue in
            var twin = queue
            twin.name = "twin"
            try await twin.create(variant.storageMode)
            for (number, waiter) in Self.waiters.enumerated() {
                try await queue.setClock("2030-01-01 1\(number):00:00+00")
                for queue in [queue, twin] { try await wait(queue, "e \(number)", waiter) }
                // A step that was recorded under the same name before is replaced.
                if number == 0 {
                    for queue in [queue, twin] {
                        try await queue.run(
                            """
                            insert into absurd."c_\(queue.name)" (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
                            select task_id, 's', '"old"', 'committed', run_id, absurd.current_time()
                              from absurd."r_\(queue.name)"
                            """)
                    }
                }
                try await queue.setClock("2030-01-01 1\(number):01:00+00")
                let payload = number == 1 ? nil : #"{"x": \#(number)}"#
                let emission = try await queue.emitAndClaim("e \(number)", payload, timeout: 60, by: call)
                _ = try await twin.emitTogether([("e \(number)", payload)])
                let other = try #require(try await twin.claim(timeout: 60).first)
                let claim = try #require(emission.claim)
                #expect(emission.answer == "emitted" && emission.payload == payload ?? "null")
                #expect(claim.token == other.token && claim.expiry == other.expiry && claim.due == other.due)
                #expect(claim.isResumed && claim.wakeEvent == nil && claim.attempt == 1)
                #expect(
                    emission.checkpoints == ["first": #"{"a": 1}"#, "null": "null", "s": payload ?? "null"])
                #expect(try await queue.history() == twin.history(), "\(waiter)")
                #expect(try await queue.finish([.init(claim, "complete", "1")]).map(\.answer) == ["done"])
                _ = try await twin.finish([.init(other, "complete", "1")])
            }
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `runs that it does not claim are woken as by emit`(_ variant: QueueVariant) async throws {
        try await withQueue(variant) { queue in
            var twin = queue
            twin.name = "twin"
            try await twin.create(variant.storageMode)
            try await queue.setClock("2030-01-01 10:00:00+00")
            for queue in [queue, twin] {
                for _ in 0..<2 { try await wait(queue, "both", (nil, nil)) }
                try await wait(queue, "foreign", (nil, nil))
                try await wait(queue, "over", (#"{"cancellation": {"max_duration": 30}}"#, nil))
                try await wait(queue, "late", (nil, 30))
            }
            try await queue.setClock("2030-01-01 10:01:00+00")
            for event in ["both", "foreign", "over", "late", "nobody's"] {
                let names = event == "foreign" ? ["others"] : ["task"]
                let emission = try await queue.emitAndClaim(event, "1", names: names)
                #expect(emission.answer == "emitted" && emission.claim == nil, "\(event)")
                _ = try await twin.emitTogether([(event, "1")])
                #expect(try await queue.history() == twin.history(), "\(event)")
            }
            #expect(try await queue.count("r", where: "state = 'running'") == 0)
        }
    }

    @Test func `only the first emission counts, and a blank name is left to emit`() async throws {
        try await withQueue { queue in
            let emission3 = try await queue.emitAndClaim("e", "1")
            #expect(emission3.answer == "emitted")
            let emission4 = try await queue.emitAndClaim("e", "2")
            #expect(emission4.answer == "known")
            let emission5 = try await queue.emitAndClaim(" ", "2")
            #expect(emission5.answer == nil)
            #expect(try await queue.text("select string_agg(payload::text, ' ') from absurd.e_q") == "1")
            let error = await #expect(throws: PostgresError.self) { try await queue.emitAndClaim("f", "{") }
            #expect(error?.sqlState == "22P02")
        }
    }

    @Test func `checkpoints come up to the one that reaches the limit`() async throws {
        try await withQueue { queue in
            try await wait(queue, "e", (nil, nil))
            let emission = try await queue.emitAndClaim("e", "1", bytes: 10)
            #expect(emission.claim != nil)
            #expect(emission.checkpoints == ["first": #"{"a": 1}"#])
        }
    }

    /// While the lock of the run is waited for it may go on to something else.
    @Test(arguments: [false, true])
    func `a run that has gone on meanwhile is not claimed`(isAwaitingAnother: Bool) async throws {
        try await withQueue { queue in
            try await wait(queue, "e", (nil, nil))
            try await queue.run(
                #"alter function absurd_swift."raise:q"(text, text, text, integer, text[], bigint) set lock_timeout = 0"#
            )
            let other = try await queue.elsewhere()
            try await other.connection.execute(script: "begin")
            try await other.run("select from absurd.r_q for update")
            if isAwaitingAnother {
                try await other.run("update absurd.w_q set event_name = 'f'")
                try await other.run("update absurd.r_q set wake_event = 'f'")
            } else {
                try await other.run("delete from absurd.w_q")
                try await other.run("update absurd.r_q set state = 'pending', wake_event = null")
            }
            async let emission = queue.emitAndClaim("e", "1")
            try await TestDatabase.current.waitUntilBlocked(queue.connection.backendPID)
            try await other.connection.execute(script: "commit")
            let told = try await emission
            #expect(told.claim == nil && told.answer == "emitted")
            let state = isAwaitingAnother ? "sleeping" : "pending"
            #expect(try await queue.count("r", where: "state = '\(state)'") == 1)
        }
    }

    /// Its lock time-out is that of emit: nothing is done then, and emit sends it again.
    @Test func `it gives way to whoever holds the run that waits`() async throws {
        try await withQueue { queue in
            try await wait(queue, "e", (nil, nil))
            let other = try await queue.elsewhere()
            try await other.connection.execute(script: "begin")
            try await other.run("select from absurd.r_q for update")
            let error = await #expect(throws: PostgresError.self) { try await queue.emitAndClaim("e", "1") }
            #expect(error?.sqlState == "55P03")
            #expect(try await queue.count("e", where: "payload is not null") == 0)
            try await other.connection.execute(script: "rollback")
            let emission6 = try await queue.emitAndClaim("e", "1")
            #expect(emission6.claim != nil)
        }
    }

    @Test func `of two who emit an event at once one claims the run`() async throws {
        try await withQueue { queue in
            try await wait(queue, "e", (nil, nil))
            try await queue.run(
                #"alter function absurd_swift."raise:q"(text, text, text, integer, text[], bigint) set lock_timeout = 0"#
            )
            let other = try await queue.elsewhere()
            try await queue.connection.execute(script: "begin")
            let emission7 = try await queue.emitAndClaim("e", "1")
            #expect(emission7.claim != nil)
            async let second = other.emitAndClaim("e", "2")
            try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            let told = try await second
            #expect(told.claim == nil && told.answer == "known")
        }
    }
}
