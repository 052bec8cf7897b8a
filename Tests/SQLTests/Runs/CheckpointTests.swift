import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct CheckpointTests {
    @Test(arguments: StorageMode.allCases)
    func `a checkpoint is stored, overwritten and looked up`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        let lookUp =
            "select state, status, owner_run_id = $2, updated_at from absurd.get_task_checkpoint_state('jobs', $1, 's')"
        #expect(try await session.rows(lookUp, .text(spawned.task), .text(spawned.run)) == [])
        try await session.store("1", in: spawned)
        try await session.setClock(seconds: 2)
        try await session.store("null", in: spawned)
        #expect(
            try await session.rows(lookUp, .text(spawned.task), .text(spawned.run))
                == [#"(null,committed,t,"2024-04-01 10:00:02+00")"#])
        try await session.store(nil, in: spawned)
        #expect(
            try await session.rows(lookUp, .text(spawned.task), .text(spawned.run))
                == [#"(,committed,t,"2024-04-01 10:00:02+00")"#])
    }

    @Test func `storing renews the lease from now, also to less`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(timeout: 60)
        let left = "select claim_expires_at - absurd.current_time() from absurd.r_jobs"
        try await session.setClock(seconds: 30)
        try await session.store("1", in: spawned, extend: 60)
        #expect(try await session.value(left) == "00:01:00")
        try await session.store("1", in: spawned, extend: 5)
        #expect(try await session.value(left) == "00:00:05")
        for none in [nil, 0, -1] { try await session.store("1", in: spawned, extend: none) }
        #expect(try await session.value(left) == "00:00:05")
    }

    @Test func `a lease without end stays without end`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(timeout: 0)
        try await session.store("1", in: spawned, extend: 60)
        #expect(try await session.value("select claim_expires_at from absurd.r_jobs") == nil)
    }

    @Test func `later attempts see earlier checkpoints, and earlier attempts cannot overwrite later ones`()
        async throws
    {
        let session = try await Session(.unpartitioned)
        let first = try await session.running()
        try await session.store("1", in: first, step: "a")
        try await session.fail(first.run)
        let second = Spawned(task: first.task, run: try #require(try await session.claim().first))
        try await session.setClock(seconds: 1)
        try await session.store("2", in: second, step: "b")
        let list = "select checkpoint_name, state from absurd.get_task_checkpoint_states('jobs', $1, $2)"
        #expect(try await session.rows(list, .text(first.task), .text(first.run)) == ["(a,1)"])
        #expect(try await session.rows(list, .text(first.task), .text(second.run)) == ["(a,1)", "(b,2)"])

        try await session.run(
            "update absurd.r_jobs set state = 'sleeping' where run_id = $1", .text(first.run))
        try await session.store("9", in: first, step: "b")
        try await session.store("3", in: second, step: "a")
        #expect(
            try await session.rows("select checkpoint_name, state from absurd.c_jobs order by 1") == [
                "(a,3)", "(b,2)",
            ])
        try await session.run("delete from absurd.r_jobs where run_id = $1", .text(second.run))
        #expect(try await session.rows(list, .text(first.task), .text(first.run)).count == 2)
    }

    @Test func `uncommitted checkpoints are shown only on demand`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.store("1", in: spawned)
        try await session.run("update absurd.c_jobs set status = 'pending'")
        let count = "select count(*) from absurd.get_task_checkpoint_state('jobs', $1, 's', $2)"
        #expect(try await session.value(count, .text(spawned.task), false) == "0")
        #expect(try await session.value(count, .text(spawned.task), nil) == "0")
        #expect(try await session.value(count, .text(spawned.task), true) == "1")
        #expect(
            try await session.rows(
                "select * from absurd.get_task_checkpoint_states('jobs', $1, $2)", .text(spawned.task),
                .text(spawned.run)) == [])
    }

    @Test func `the list names runs that do not belong to the task`() async throws {
        let session = try await Session(.unpartitioned)
        let one = try await session.spawn()
        let other = try await session.spawn()
        let statement = "select absurd.get_task_checkpoint_states('jobs', $1, $2)"
        let refusal = try await session.refusal(statement, .text(one.task), .text(other.run))
        #expect(refusal?.sqlState == "P0001")
        #expect(refusal?.message.contains("does not belong") == true)
        #expect(try await session.sqlState(statement, .text(one.task), .text(Spawned.unknown.run)) == "P0001")
    }

    @Test func `writing is refused once the run has failed or the task was cancelled`() async throws {
        let session = try await Session(.unpartitioned)
        let statement = "select absurd.set_task_checkpoint_state('jobs', $1, $2, '1', $3)"
        let spawned = try await session.running()
        #expect(
            try await session.sqlState(statement, .text(spawned.task), " ", .text(spawned.run)) == "P0001")
        #expect(
            try await session.sqlState(statement, .text(spawned.task), nil, .text(spawned.run)) == "P0001")
        #expect(
            try await session.sqlState(statement, .text(spawned.task), "s", .text(Spawned.unknown.run))
                == "P0001")
        try await session.fail(spawned.run)
        #expect(
            try await session.sqlState(statement, .text(spawned.task), "s", .text(spawned.run)) == "AB002")
        try await session.cancel(spawned.task)
        #expect(
            try await session.sqlState(statement, .text(spawned.task), "s", .text(spawned.run)) == "AB001")
    }

    @Test func `a lease is extended from now`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running(timeout: 60)
        try await session.setClock(seconds: 100)
        try await session.run("select absurd.extend_claim('jobs', $1, 30)", .text(spawned.run))
        #expect(
            try await session.value("select claim_expires_at - absurd.current_time() from absurd.r_jobs")
                == "00:00:30")
    }

    @Test func `extending says what is wrong`() async throws {
        let session = try await Session(.unpartitioned)
        let statement = "select absurd.extend_claim('jobs', $1, 30)"
        func refused(_ run: String, _ state: String, _ fragment: String, _ statement: String = statement)
            async throws
        {
            let refusal = try await session.refusal(statement, .text(run))
            #expect(refusal?.sqlState == state)
            #expect(refusal?.message.contains(fragment) == true)
        }
        for amount in ["0", "-1", "null"] {
            try await refused(
                Spawned.unknown.run, "P0001", "extend_by must be > 0",
                "select absurd.extend_claim('jobs', $1, \(amount))")
        }
        try await refused(Spawned.unknown.run, "P0001", "not found")
        let asleep = try await session.running()
        try await session.await("e", in: asleep)
        try await refused(asleep.run, "P0001", "not currently running")
        let failed = try await session.running()
        try await session.fail(failed.run)
        try await refused(failed.run, "AB002", "failed")
        try await session.cancel(failed.task)
        try await refused(failed.run, "AB001", "cancelled")
        try await refused(try await session.running(timeout: 0).run, "P0001", "does not expire")
    }
}

extension Session {
    fileprivate func store(
        _ state: String?, in spawned: Spawned, step: String = "s", extend: Int? = nil
    ) async throws {
        try await run(
            "select absurd.set_task_checkpoint_state('jobs', $1, $2, $3, $4, $5)", .text(spawned.task),
            .text(step),
            state.map { .text($0) } ?? .null, .text(spawned.run), extend.map { .int(Int64($0)) } ?? .null)
    }
}
