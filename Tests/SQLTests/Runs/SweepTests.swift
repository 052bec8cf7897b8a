import LibPQ
import TestSupport
import Testing

/// What a claim ends before it claims.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SweepTests {
    @Test(arguments: StorageMode.allCases)
    func `a run whose lease has ended is failed and its retry claimed by the same call`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running(timeout: 30)
        try await session.setClock(seconds: 29)
        #expect(try await session.claim().isEmpty)
        try await session.setClock(seconds: 30)
        let claimed = try await session.claim(worker: "v")
        #expect(claimed.count == 1 && claimed != [spawned.run])
        #expect(try await session.states(spawned.task) == "running failed running")
        #expect(
            try await session.rows(
                """
                select failure_reason - 'message', failure_reason ? 'message', claimed_by, failed_at
                  from absurd.r_jobs where attempt = 1
                """) == [
                    #"("{""name"": ""$ClaimTimeout"", ""attempt"": 1, ""workerId"": ""w"", "#
                        + #"""claimExpiredAt"": ""2024-04-01T10:00:30+00:00""}",t,w,"2024-04-01 10:00:30+00")"#
                ])
    }

    @Test func `under the wall clock too the retry is claimed by the same call`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.useWallClock()
        let spawned = try await session.running(timeout: 30)
        try await session.run(
            "update absurd.r_jobs set claim_expires_at = absurd.current_time() - interval '1 s'")
        #expect(try await session.claim().count == 1)
        #expect(try await session.states(spawned.task) == "running failed running")
    }

    @Test func `each claim fails as many expired runs as it may claim, oldest lease first`() async throws {
        let session = try await Session(.unpartitioned)
        for _ in 1...5 { try await session.running(timeout: 30) }
        try await session.setClock(seconds: 40)
        let counts = "select count(*) filter (where state = 'failed') from absurd.r_jobs"
        try await session.claim(2)
        #expect(try await session.value(counts) == "2")
        try await session.claim(2)
        #expect(try await session.value(counts) == "4")
    }

    @Test(arguments: ["r_jobs", "t_jobs"])
    func `sweeps do not wait for locked rows`(_ table: String) async throws {
        let session = try await Session(.unpartitioned)
        let holder = try await Session()
        let expired = try await session.running(timeout: 30)
        let overdue = try await session.spawn(#"{"cancellation":{"max_delay":5}}"#)
        try await session.setClock(seconds: 40)
        let due = try await session.spawn()
        try await holder.holding(
            "select 1 from absurd.\(table) where task_id in ($1, $2) for update", .text(expired.task),
            .text(overdue.task)
        ) {
            let answer = try await session.claim(5)
            #expect(answer == [due.run])
        }
        #expect(try await session.states(expired.task) == "running running")
        #expect(try await session.states(overdue.task) == "pending pending")
        #expect(try await session.claim(5).count == 1)
        #expect(try await session.states(expired.task) == "running failed running")
        #expect(try await session.states(overdue.task) == "cancelled cancelled")
    }

    @Test(arguments: StorageMode.allCases)
    func `max_delay ends a task that has not started in time`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.spawn(#"{"cancellation":{"max_delay":10}}"#)
        let started = try await session.spawn(#"{"cancellation":{"max_delay":10}}"#)
        try await session.run(
            "update absurd.r_jobs set available_at = available_at - interval '1 s' where run_id = $1",
            .text(started.run))
        #expect(try await session.claim(timeout: 0) == [started.run])
        try await session.setClock(seconds: 10)
        #expect(try await session.claim().isEmpty)
        #expect(try await session.states(spawned.task) == "cancelled cancelled")
        #expect(try await session.states(started.task) == "running running")
        #expect(
            try await session.value(
                "select cancelled_at from absurd.t_jobs where task_id = $1", .text(spawned.task))
                == "2024-04-01 10:00:10+00")
    }

    @Test(arguments: StorageMode.allCases)
    func `max_duration ends a task that has started, asleep, awake or between attempts`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        let policy = #"{"cancellation":{"max_duration":60}}"#
        let awake = try await session.running(policy, timeout: 0)
        let asleep = try await session.running(policy)
        try await session.await("e", in: asleep)
        let retried = try await session.running(policy)
        try await session.fail(retried.run)
        try await session.setClock(seconds: 59)
        #expect(try await session.claim(9, timeout: 0).count == 1)
        try await session.setClock(seconds: 60)
        #expect(try await session.claim(9).isEmpty)
        #expect(try await session.states(awake.task) == "cancelled cancelled")
        #expect(try await session.states(asleep.task) == "cancelled cancelled")
        #expect(try await session.states(retried.task) == "cancelled failed cancelled")
        #expect(try await session.count("w_jobs") == "0")
    }

    @Test func `the policy sweep is bounded and goes on with the next claim`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.run(
            #"""
            select absurd.spawn_task('jobs', 'a', '1', '{"cancellation":{"max_delay":1}}')
              from generate_series(1, 2500)
            """#)
        try await session.setClock(seconds: 5)
        let states =
            "select string_agg(state || n, ' ' order by state) from (select state, count(*) as n from absurd.t_jobs group by state) s"
        let due = try await session.spawn()
        #expect(try await session.claim() == [due.run])
        #expect(try await session.value(states) == "cancelled1000 pending1500 running1")
        #expect(try await session.claim(2000).isEmpty)
        #expect(try await session.value(states) == "cancelled2500 running1")
    }

    /// An open emission holds the expired waits that it deletes, and nothing else of their runs.
    @Test(arguments: StorageMode.allCases)
    func `sweeps leave a wait that an emission is deleting and end its task all the same`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        let emitting = try await Session()
        try await session.run("set lock_timeout = '10s'")
        let overdue = try await session.running(#"{"cancellation":{"max_duration":2}}"#)
        let crashed = try await session.running(#"{"max_attempts":1}"#)
        for spawned in [overdue, crashed] { try await session.await("e", in: spawned, timeout: 1) }
        try await session.setClock(seconds: 1)
        try await emitting.setClock(seconds: 1)
        try await emitting.holding("select absurd.emit_event('jobs', 'e')") {
            let claimed = try await session.claim(2, timeout: 1)
            #expect(Set(claimed) == [overdue.run, crashed.run])
            try await session.setClock(seconds: 5)
            let answer = try await session.claim(2)
            #expect(answer.isEmpty)
            let states = [
                try await session.states(overdue.task), try await session.states(crashed.task),
            ]
            #expect(states == ["cancelled cancelled", "failed failed"])
        }
        // The emission was rolled back. The next one removes what is left, and wakes nobody.
        #expect(try await session.count("w_jobs") == "2")
        try await session.emit("e")
        #expect(try await session.count("w_jobs") == "0")
        #expect(try await session.states(overdue.task) == "cancelled cancelled")
        #expect(try await session.states(crashed.task) == "failed failed")
    }

    @Test func `a wait without a deadline that is locked elsewhere does not hold up a sweep either`()
        async throws
    {
        let session = try await Session(.unpartitioned)
        let holder = try await Session()
        try await session.run("set lock_timeout = '10s'")
        let overdue = try await session.running(#"{"cancellation":{"max_duration":2}}"#)
        try await session.await("e", in: overdue)
        try await session.setClock(seconds: 5)
        try await holder.holding("select 1 from absurd.w_jobs for update") {
            let answer = try await session.claim()
            #expect(answer.isEmpty)
            let states = try await session.states(overdue.task)
            #expect(states == "cancelled cancelled")
        }
        // The wait that is left means nothing to an emission, and goes with its task.
        try await session.emit("e")
        #expect(try await session.states(overdue.task) == "cancelled cancelled")
        #expect(try await session.count("w_jobs") == "1")
        try await session.setClock(seconds: 10)
        #expect(try await session.value("select absurd.cleanup_tasks('jobs', 0)") == "1")
        #expect(try await session.count("w_jobs") == "0")
    }

    @Test func `a policy written around spawn cannot stop the queue`() async throws {
        let session = try await Session(.unpartitioned)
        let poisoned = try await session.spawn()
        try await session.run(
            #"update absurd.t_jobs set cancellation = '{"max_delay":1.5,"max_duration":"x"}'"#)
        #expect(try await session.claim() == [poisoned.run])
        try await session.fail(poisoned.run)
        #expect(try await session.states(poisoned.task) == "pending failed pending")
    }

    @Test func `a policy beyond the calendar never ends anything`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.spawn(
            #"{"cancellation":{"max_delay":999999999999999,"max_duration":999999999999999}}"#)
        #expect(try await session.claim().count == 1)
    }
}
