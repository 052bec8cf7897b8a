import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct ClaimTests {
    @Test(arguments: StorageMode.allCases)
    func `a claim leases the run and starts the task`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let spawned = try await session.spawn(
            #"{"headers":{"h":1},"retry_strategy":{"kind":"none"},"max_attempts":2}"#, params: "[1]")
        try await session.setClock(seconds: 5)
        #expect(
            try await session.rows("select * from absurd.claim_task('jobs', 'w', 30, 5)") == [
                #"(\#(spawned.run),\#(spawned.task),1,job,[1],"{""kind"": ""none""}",2,"{""h"": 1}",,)"#
            ])
        #expect(
            try await session.rows(
                """
                select r.state, claimed_by, claim_expires_at, available_at, started_at,
                       t.state as task_state, attempts, first_started_at, last_attempt_run = run_id
                  from absurd.r_jobs r join absurd.t_jobs t using (task_id)
                """) == [
                    #"(running,w,"2024-04-01 10:00:35+00","2024-04-01 10:00:05+00","2024-04-01 10:00:05+00","#
                        + #"running,1,"2024-04-01 10:00:05+00",t)"#
                ])
        #expect(try await session.claim().isEmpty)
    }

    @Test(arguments: [
        ("'', -5, 0", #"(worker,)"#), ("null, null, null", #"(worker,00:00:30)"#), ("'w', 0, -1", "(w,)"),
        ("'w'", "(w,00:00:30)"),
    ])
    func `odd arguments are repaired`(_ arguments: String, _ lease: String) async throws {
        let session = try await Session(.unpartitioned)
        try await session.spawn()
        try await session.spawn()
        #expect(
            try await session.rows("select attempt from absurd.claim_task('jobs', \(arguments))") == ["(1)"])
        #expect(
            try await session.rows(
                "select claimed_by, claim_expires_at - started_at from absurd.r_jobs where state = 'running'")
                == [lease])
    }

    @Test(arguments: StorageMode.allCases)
    func `runs are claimed in the order in which they became due`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        var due: [(String, Int)] = []
        for seconds in [30, 10, 20, 0, 15] {
            let spawned = try await session.spawn()
            try await session.run(
                "update absurd.r_jobs set available_at = absurd.current_time() - make_interval(secs => $2) where run_id = $1",
                .text(spawned.run), .int(Int64(seconds)))
            due.append((spawned.run, -seconds))
        }
        let expected = due.sorted { $0.1 < $1.1 }.map(\.0)
        #expect(try await session.claim(2) == Array(expected[..<2]))
        #expect(try await session.claim(9) == Array(expected[2...]))
    }

    @Test func `a run that is not due yet stays`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.running()
        try await session.run(
            "select absurd.schedule_run('jobs', $1, absurd.current_time() + interval '10 s')",
            .text(spawned.run))
        #expect(try await session.claim().isEmpty)
        try await session.setClock(seconds: 10)
        #expect(try await session.claim() == [spawned.run])
    }

    @Test(arguments: StorageMode.allCases)
    func `locked runs and runs of locked tasks are passed over`(_ mode: StorageMode) async throws {
        let session = try await Session(mode)
        let other = try await Session()
        let first = try await session.spawn()
        let second = try await session.spawn()
        let third = try await session.spawn()
        try await session.connection.execute(script: "begin")
        try await session.run("select 1 from absurd.r_jobs where run_id = $1 for update", .text(first.run))
        try await session.run("select 1 from absurd.t_jobs where task_id = $1 for share", .text(second.task))
        #expect(try await other.claim(9) == [third.run])
        try await session.connection.execute(script: "rollback")
    }

    @Test func `claimers at the same time share the runs`() async throws {
        let session = try await Session(.unpartitioned)
        for _ in 1...40 { try await session.spawn() }
        let claimed = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 1...4 {
                let session = try await Session()
                group.addTask {
                    var runs: [String] = []
                    while case let batch = try await session.claim(3), !batch.isEmpty { runs += batch }
                    return runs
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(claimed.count == 40 && Set(claimed).count == 40)
    }

    @Test func `a run whose task has ended is not claimed`() async throws {
        let session = try await Session(.unpartitioned)
        let spawned = try await session.spawn()
        try await session.run(
            "update absurd.t_jobs set state = 'failed' where task_id = $1", .text(spawned.task))
        #expect(try await session.claim().isEmpty)
    }

    @Test(arguments: StorageMode.allCases)
    func `a claim deletes the wait whose deadline passed and keeps the event's name on the run`(
        _ mode: StorageMode
    ) async throws {
        let session = try await Session(mode)
        let spawned = try await session.running()
        #expect(try await session.await("e", in: spawned, timeout: 10) == "(t,)")
        try await session.setClock(seconds: 10)
        #expect(
            try await session.rows(
                "select run_id = $1, wake_event, event_payload from absurd.claim_task('jobs', 'w')",
                .text(spawned.run))
                == ["(t,e,)"])
        #expect(try await session.count("w_jobs") == "0")
    }

    @Test func `a claim passes over an expired wait that is being deleted`() async throws {
        let session = try await Session(.unpartitioned)
        let other = try await Session()
        let spawned = try await session.running()
        try await session.await("e", in: spawned, timeout: 10)
        try await session.setClock(seconds: 10)
        try await other.holding("delete from absurd.w_jobs") {
            let answer = try await session.claim()
            #expect(answer == [spawned.run])
        }
    }
}
