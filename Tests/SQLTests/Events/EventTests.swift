import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct EventTests {
    @Test(arguments: StorageMode.allCases)
    func `a run waits until the event comes and finds the payload as its checkpoint`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        #expect(try await session.await("e", in: spawned) == "(t,)")
        #expect(
            try await session.rows(
                """
                select r.state, t.state as task_state, available_at, wake_event, claimed_by, claim_expires_at
                  from absurd.r_jobs r join absurd.t_jobs t using (task_id)
                """) == ["(sleeping,sleeping,infinity,e,,)"])
        #expect(
            try await session.rows("select event_name, step_name, timeout_at from absurd.w_jobs") == [
                "(e,wait,)"
            ])
        #expect(try await session.rows("select * from absurd.e_jobs") == [#"(e,,"1970-01-01 00:00:00+00")"#])

        try await session.setClock(seconds: 5)
        try await session.emit("e", #"{"a":1}"#)
        #expect(try await session.states(spawned.task) == "pending pending")
        #expect(
            try await session.rows("select available_at, wake_event, event_payload from absurd.r_jobs")
                == [#"("2024-04-01 10:00:05+00",,"{""a"": 1}")"#])
        #expect(
            try await session.rows(
                "select checkpoint_name, state, owner_run_id = $1 from absurd.c_jobs", .text(spawned.run))
                == [#"(wait,"{""a"": 1}",t)"#])
        #expect(try await session.count("w_jobs") == "0")
        #expect(
            try await session.rows("select event_payload from absurd.claim_task('jobs', 'w')") == [
                #"("{""a"": 1}")"#
            ])
        #expect(try await session.await("e", in: spawned) == #"(f,"{""a"": 1}")"#)
    }

    @Test(arguments: StorageMode.allCases)
    func `an event that was emitted before is received at once`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        try await session.emit("e", nil)
        let spawned = try await session.running()
        #expect(try await session.await("e", in: spawned) == "(f,null)")
        #expect(try await session.rows("select checkpoint_name, state from absurd.c_jobs") == ["(wait,null)"])
        #expect(try await session.states(spawned.task) == "running running")
    }

    @Test func `the first emission of a name counts`() async throws {
        let session = try await Session(.unpartitioned)
        try await session.emit("e", "1")
        try await session.setClock(seconds: 5)
        try await session.emit("e", "2")
        #expect(try await session.rows("select * from absurd.e_jobs") == [#"(e,1,"2024-04-01 10:00:00+00")"#])
    }

    @Test func `a wait that times out is answered with SQL NULL, once`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        #expect(try await session.await("e", in: spawned, timeout: 10) == "(t,)")
        #expect(
            try await session.value("select available_at - absurd.current_time() from absurd.r_jobs")
                == "00:00:10")
        try await session.setClock(seconds: 10)
        #expect(try await session.claim() == [spawned.run])
        #expect(try await session.await("e", in: spawned, step: "wait#2", timeout: 10) == "(f,)")
        #expect(try await session.count("w_jobs") == "0")
        #expect(try await session.count("c_jobs") == "0")
        #expect(try await session.states(spawned.task) == "running running")
        #expect(try await session.await("e", in: spawned, timeout: 10) == "(t,)")
    }

    @Test func `a timeout of zero is a deadline of now`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        #expect(try await session.await("e", in: spawned, timeout: 0) == "(t,)")
        #expect(try await session.claim() == [spawned.run])
        #expect(try await session.await("e", in: spawned, timeout: 0) == "(f,)")
    }

    @Test func `an event that comes after the deadline is still received`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.await("e", in: spawned, timeout: 10)
        try await session.setClock(seconds: 11)
        try await session.emit("e", "7")
        #expect(try await session.count("w_jobs") == "0")
        #expect(try await session.states(spawned.task) == "sleeping sleeping")
        try await session.claim()
        #expect(try await session.await("e", in: spawned) == "(f,7)")
    }

    @Test(arguments: StorageMode.allCases)
    func `one emission wakes all who wait for it and nobody else`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        var waiting: [Spawned] = []
        for number in 1...5 {
            let spawned = try await session.running()
            try await session.await(number == 5 ? "other" : "e", in: spawned)
            waiting.append(spawned)
        }
        try await session.emit("e")
        #expect(try await session.claim(9).count == 4)
        #expect(try await session.states(waiting[4].task) == "sleeping sleeping")
    }

    @Test func `a step that has its value is answered without looking at the run`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.emit("e", "5")
        try await session.await("e", in: spawned)
        try await session.complete(spawned.run)
        #expect(try await session.await("e", in: spawned) == "(f,5)")
    }

    @Test func `awaiting is refused when it cannot be`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        let statement = "select absurd.await_event('jobs', $1, $2, 's', $3, $4)"
        let task = SQLParameter.text(spawned.task)
        let run = SQLParameter.text(spawned.run)
        #expect(try await session.sqlState(statement, task, run, " ", nil) == "P0001")
        #expect(try await session.sqlState(statement, task, run, nil, nil) == "P0001")
        #expect(try await session.sqlState(statement, task, run, "e", -1) == "P0001")
        #expect(try await session.sqlState(statement, task, .text(Spawned.unknown.run), "e", nil) == "P0001")
        #expect(try await session.sqlState(statement, .text(Spawned.unknown.task), run, "e", nil) == "P0001")
        #expect(try await session.count("e_jobs") == "0")
        try await session.fail(spawned.run)
        #expect(try await session.sqlState(statement, task, run, "e", nil) == "P0001")
        try await session.cancel(spawned.task)
        #expect(try await session.sqlState(statement, task, run, "e", nil) == "AB001")
    }

    @Test func `an event needs a name`() async throws {
        let session = try await Session(.unpartitioned)
        #expect(try await session.sqlState("select absurd.emit_event('jobs', ' ')") == "P0001")
        #expect(try await session.sqlState("select absurd.emit_event('jobs', null)") == "P0001")
    }

    @Test func `waits of runs that do not sleep are left alone`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.await("e", in: spawned)
        try await session.run("update absurd.r_jobs set state = 'running'")
        try await session.emit("e")
        #expect(try await session.count("w_jobs") == "1")
        #expect(try await session.count("c_jobs") == "0")
    }
}
