import Absurd
import LibPQ
import TestSupport
import Testing

/// What workers of different SDKs have to agree on when they share a queue.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SharedQueueTests {
    @Test(arguments: Side.allCases)
    func `a task that one side does not know is put off for the other`(ignorant: Side) async throws {
        try await Both.with { both in
            // Only the other side has a handler of that name.
            let task = try await both.spawn("echo", ["n": 1])
            switch ignorant {
            case .swift:
                let other = Handler("something else") { _ in .complete }
                try await withWorker(both.client, queue: both.queue, handlers: [other]) { _ in
                    try await both.wait(for: task, until: "r.state = 'sleeping'")
                }
            case .python:
                // No workflow of that name is registered there.
                try await rename(task, to: "swift only", both)
                try await both.peer.call("work_batch")
            }
            let putOff = """
                r.state = 'sleeping' and r.failure_reason is null and r.attempt = 1 and t.attempts = 1
                  and r.available_at between clock_timestamp() and clock_timestamp() + interval '31 seconds'
                """
            #expect(try await both.run(of: task, is: putOff))

            if ignorant == .python { try await rename(task, to: "echo", both) }
            try await both.makeDue(task)
            try await both.execute(task, by: ignorant.other, until: "r.state = 'completed'")
            #expect(try await both.value("t.attempts", of: task, as: Int32.self) == 1)
        }
    }

    @Test(arguments: Side.allCases)
    func `a claim that one side let expire is taken over by the other`(holder: Side) async throws {
        try await Both.with { both in
            let task = try await both.spawn("echo", ["n": 1])
            switch holder {
            case .swift: _ = try await both.client.claimRuns(on: both.queue, workerID: "gone")
            case .python: try await both.peer.call("claim_tasks", [], ["worker_id": "gone"])
            }
            try await expireClaims(both)
            switch holder.other {
            case .swift: try await both.execute(task, by: .swift, until: "r.state = 'completed'")
            case .python:
                // Python's first claim gives the run back, its second one gets it.
                try await both.peer.call("work_batch")
                try await both.peer.call("work_batch")
            }
            #expect(try await both.run(of: task, is: "r.state = 'completed' and r.attempt = 2"))
            let reasons = try await both.client.query(
                "select failure_reason from absurd.r_shared where task_id = $1 and attempt = 1",
                [.uuid(task.uuid)])
            let reason = try decodeJSON(reasons[0].decode("failure_reason"))
            #expect(reason["name"] == "$ClaimTimeout")
            #expect(reason["workerId"] == "gone")
            #expect(reason["attempt"] == 1)
        }
    }

    @Test func `what a worker writes after Python took its run over is refused`() async throws {
        try await Both.with { both in
            let task = try await both.spawn("waiting", ["event": "go"])
            let run = try #require(try await both.client.claimRuns(on: both.queue, workerID: "slow").first)
            try await expireClaims(both)
            try await both.peer.call("work_batch")
            try await both.peer.call("work_batch")
            #expect(try await both.run(of: task, is: "r.attempt = 2 and r.wake_event = 'go'"))

            let before = try await both.checkpoints(of: task)
            let late = await #expect(throws: AbsurdError.self) {
                try await both.client.setCheckpoint("first", of: run, to: "late")
            }
            #expect(late?.code == .claimLost || late?.code == .runFailed)
            await #expect(throws: AbsurdError.self) { try await both.client.complete(run, result: "late") }
            #expect(try await both.checkpoints(of: task) == before)
            #expect(try await both.run(of: task, is: "r.wake_event = 'go' and t.state = 'sleeping'"))
        }
    }

    @Test func `a run that is failed from outside ends silently in Swift`() async throws {
        try await Both.with { both in
            let task = try await both.spawn("stepping", options: SpawnOptions(maxAttempts: 1))
            try await withWorker(both.client, queue: both.queue, handlers: Workflows.handlers(Executions())) {
                pool in
                let events = pool.events()
                try await both.wait(
                    for: task, until: "exists (select from absurd.c_shared as c where c.task_id = t.task_id)")
                let run = try await both.value("r.run_id::text", of: task, as: String.self)
                _ = try await both.client.query(
                    "select absurd.fail_run('shared', $1::uuid, $2::jsonb)",
                    [.text(run), #"{"name": "Operator"}"#])
                for await event in events {
                    if case .claimLost(let run) = event.kind {
                        #expect(run.taskID == task)
                        return
                    }
                }
            }
            #expect(
                try await both.value("r.failure_reason ->> 'name'", of: task, as: String.self) == "Operator")
            #expect(try await both.value("t.attempts", of: task, as: Int32.self) == 1)
        }
    }

    @Test(arguments: Side.allCases)
    func `a suspended run has neither a result nor a failure nor a holder`(side: Side) async throws {
        try await Both.with { both in
            for (name, params) in [("sleeping", ["seconds": 600]), ("waiting", ["event": "go"])]
                as [(String, JSONValue)]
            {
                let task = try await both.spawn(name, params)
                try await both.execute(task, by: side, until: "r.state = 'sleeping'")
                let isParked = """
                    t.state = 'sleeping' and r.result is null and r.failure_reason is null and r.completed_at is null
                      and r.failed_at is null and r.claimed_by is null and r.claim_expires_at is null
                      and t.completed_payload is null
                    """
                #expect(try await both.run(of: task, is: isParked), "\(name)")
            }
        }
    }

    /// Python writes `+00:00` with microseconds, TypeScript `Z` with milliseconds, Go `Z` with nanoseconds.
    @Test(arguments: [
        "2999-12-31T23:59:58.123456+00:00", "2999-12-31T23:59:58.123Z", "2999-12-31T23:59:58.123456789Z",
        "2999-12-31T23:59:58Z",
    ])
    func `the end of a sleep is read in the words of every SDK`(end: String) async throws {
        try await Both.with { both in
            let task = try await both.spawn("sleeping", ["seconds": 1])
            try await record("nap", "\"\(end)\"", of: task, both)
            try await both.execute(
                task, by: .swift, until: "r.state = 'sleeping' and r.available_at > clock_timestamp()")
            #expect(
                try await both.run(
                    of: task, is: "abs(extract(epoch from r.available_at - timestamptz '\(end)')) < 0.000002")
            )
            #expect(try await both.checkpoints(of: task)["nap"] == .string(end))
        }
    }

    @Test(arguments: Side.allCases)
    func `the end of a sleep in the past is no sleep`(side: Side) async throws {
        try await Both.with { both in
            let task = try await both.spawn("sleeping", ["seconds": 600])
            try await record("nap", "\"2020-01-01T00:00:00.5Z\"", of: task, both)
            try await both.execute(task, by: side, until: "r.state = 'completed'")
        }
    }

    /// A TypeScript step that returns `undefined` leaves SQL NULL.
    @Test(arguments: ["null", nil])
    func `a step recorded as nothing counts as recorded`(state: String?) async throws {
        try await Both.with { both in
            let task = try await both.spawn("failing")
            try await record("first", state, of: task, both)
            try await both.execute(task, by: .swift, until: "r.state = 'completed'")
            #expect(both.takeExecuted(by: .swift) == ["second"])
            #expect(try await both.result(of: task) == ["first": nil, "second": "swift"])
        }
    }

    @Test func `due times are computed from the schema's clock`() async throws {
        let name = TestDatabase.current.name
        let connection = try await TestDatabase.current.connect()
        // Every connection made from now on lives in that year.
        try await connection.execute(
            script: "alter database \(name) set absurd.fake_now = '2031-05-06 07:08:09+00'")
        try await Both.with { both in
            let task = try await both.spawn("sleeping", ["seconds": 3600])
            try await both.execute(task, by: .swift, until: "r.state = 'sleeping'")
            // The schema's clock stands still; what the handler took for its step comes on top.
            let isAnHourLater = """
                r.available_at between timestamptz '2031-05-06 08:08:09+00' and timestamptz '2031-05-06 08:09:09+00'
                """
            #expect(try await both.run(of: task, is: isAnHourLater))
            let nap = try await both.checkpoints(of: task)["nap"]?.stringValue
            #expect(nap?.hasPrefix("2031-05-06T08:08:") == true)
        }
    }
}

/// The claim of a run is kept by what its worker writes.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SharedLeaseTests {
    @Test(arguments: Side.allCases)
    func `a step keeps the claim of its worker`(side: Side) async throws {
        try await Both.with { both in
            let task = try await both.spawn("waiting", ["event": "go"])
            // Runs at the write of each checkpoint, so it shows what that write did to the claim before it.
            try await both.client.pool.withConnection { connection in
                try await connection.execute(
                    script: """
                        create table claims (task_id uuid, seconds double precision);
                        create function note_claim() returns trigger language plpgsql as $$
                        begin
                          insert into claims select task_id, extract(epoch from claim_expires_at - clock_timestamp())
                            from absurd.r_shared where run_id = new.owner_run_id;
                          return null;
                        end;
                        $$;
                        create constraint trigger note_claim after insert on absurd.c_shared
                          initially deferred for each row execute function note_claim();
                        create function shorten_claim() returns trigger language plpgsql as $$
                        begin
                          new.claim_expires_at := clock_timestamp() + interval '5 seconds';
                          return new;
                        end;
                        $$;
                        create trigger shorten_claim before update on absurd.r_shared for each row
                          when (old.state <> 'running' and new.state = 'running') execute function shorten_claim();
                        """)
            }
            try await both.execute(task, by: side, until: "r.state = 'sleeping'")
            let rows = try await both.client.query("select seconds from claims")
            let seconds: Double = try rows[0].decode("seconds")
            // Swift workers claim for 30 seconds, Python's for 120.
            #expect(seconds > 25)
        }
    }

    @Test func `a heartbeat keeps the claim against the sweep of a Python worker`() async throws {
        try await Both.with { both in
            let handler = Handler("beating") { context in
                _ = try await context.client.query(
                    "update absurd.r_shared set claim_expires_at = clock_timestamp() + interval '1 second'")
                try await context.heartbeat()
                let rows = try await context.client.query(
                    "select claim_expires_at > clock_timestamp() + interval '25 seconds' from absurd.r_shared"
                )
                return .complete(.bool(try rows[0].decode(0)))
            }
            let task = try await both.spawn("beating")
            try await withWorker(both.client, queue: both.queue, handlers: [handler]) { _ in
                try await both.wait(for: task, until: "r.state = 'completed'")
            }
            #expect(try await both.result(of: task) == true)
        }
    }
}

private func rename(_ task: TaskID, to name: String, _ both: Both) async throws {
    _ = try await both.client.query(
        "update absurd.t_shared set task_name = $2 where task_id = $1", [.uuid(task.uuid), .text(name)])
}

private func expireClaims(_ both: Both) async throws {
    _ = try await both.client.query(
        "update absurd.r_shared set claim_expires_at = clock_timestamp() - interval '1 second' where state = 'running'"
    )
}

/// Records a step as another SDK does, in an execution that puts the run off then.
private func record(_ step: String, _ state: String?, of task: TaskID, _ both: Both) async throws {
    let rows = try await both.client.query(
        "select run_id::text from absurd.claim_task('shared', 'other', 60, 1)")
    let run: String = try rows[0].decode("run_id")
    _ = try await both.client.query(
        "select absurd.set_task_checkpoint_state('shared', $1, $2, $3::jsonb, $4::uuid)",
        [.uuid(task.uuid), .text(step), state.map { .text($0) } ?? .null, .text(run)])
    _ = try await both.client.query(
        "select absurd.schedule_run('shared', $1::uuid, absurd.current_time())", [.text(run)])
}
