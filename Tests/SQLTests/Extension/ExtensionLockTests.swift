import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionLockTests {
    /// Runs claimed in an order of their own: the tasks' order is the opposite of the runs'.
    private func claims(_ queue: ExtensionQueue, _ count: Int) async throws -> [ExtensionQueue.Claim] {
        let ids = try await queue.connection.query(
            "select absurd.portable_uuidv7() as id from generate_series(1, $1) order by 1",
            [.int(Int64(2 * count))]
        ).map { try $0.decode("id", as: UUID.self) }
        try await queue.run(
            "select absurd_swift.spawn($1, $2, $3, $4, $5, $6)",
            [
                .text(queue.name), .uuidArray(ids[..<count].reversed()), .uuidArray(Array(ids[count...])),
                .textArray(Array(repeating: "task", count: count)),
                .textArray(Array(repeating: "{}", count: count)),
                .textArray(Array(repeating: #"{"cancellation": {"max_duration": 3600}}"#, count: count)),
            ])
        return try await queue.claim(limit: Int64(count))
    }

    /// The look at the policy of the first task waits for the test; the rows of the others change meanwhile.
    @Test(arguments: QueueVariant.all.filter { $0.contents == .official })
    func `rows that change under a claim are claimed with their task or left alone`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.run(
                """
                create or replace function absurd_swift.is_over(
                  p_policy jsonb, p_enqueue_at timestamptz, p_first_started_at timestamptz, p_now timestamptz)
                returns boolean language plpgsql as $$
                begin
                  perform set_config('lock_timeout', '0', true);
                  perform pg_advisory_xact_lock_shared(20261126);
                  return false;
                end $$
                """)
            for isPlanned in [false, true] {
                if isPlanned { try await queue.makeMissingFunctions() }
                try await queue.spawn(["first"], options: #"{"cancellation": {"max_duration": 3600}}"#)
                let tasks = try await queue.spawn(["task", "run", "untouched"])
                try await queue.run(
                    """
                    update absurd.r_q r set available_at = '2000-01-01' from absurd.t_q t
                    where t.task_id = r.task_id and t.task_name = 'first'
                    """)
                let (holder, other) = (try await queue.elsewhere(), try await queue.elsewhere())
                try await holder.run("select pg_advisory_lock(20261126)")
                async let claimed = queue.claim(limit: 100)
                try await eventually("the claim looks at the policy") {
                    try await holder.text(
                        "select count(*)::text from pg_locks where locktype = 'advisory' and not granted")
                        == "1"
                }
                try await other.run(
                    #"update absurd.t_q set headers = '{"a": 1}' where task_id = $1"#, [.uuid(tasks[0])])
                try await other.run(
                    "update absurd.r_q set event_payload = '1' where task_id = $1", [.uuid(tasks[1])])
                try await holder.run("select pg_advisory_unlock(20261126)")
                let names = Set(try await claimed.map(\.taskName))
                // By place in one table; by key the changed version is found.
                #expect(names.isSuperset(of: ["first", "task", "untouched"]))
                #expect(try await queue.count("r", where: "state = 'running'") == names.count)
                #expect(try await queue.count("t", where: "state = 'running'") == names.count)
                // What was left alone is there for the next one.
                let rest = try await queue.claim(limit: 100)
                #expect(Set(rest.map(\.taskName)).union(names) == ["first", "task", "run", "untouched"])
                _ = try await queue.complete(rest.map { ($0, nil) })
                _ = try await queue.complete(try await claimed.map { ($0, nil) })
                #expect(try await queue.count("r", where: "state = 'completed'") == (isPlanned ? 8 : 4))
            }
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a batch gives way to a foreign transaction and then skips what that one holds`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claims = try await claims(queue, 2)
            let rows = claims.map { ExtensionQueue.Finish($0, "complete") }
            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { _ in
                try await other.run(
                    "select absurd.cancel_task($1, $2)", [.text(queue.name), .uuid(claims[1].task)])
                let error = await #expect(throws: PostgresError.self) { _ = try await queue.finish(rows) }
                #expect(error?.sqlState == "55P03")
                #expect(try await queue.finish(rows, wait: false).map(\.answer) == ["done", "busy"])
            }
            #expect(try await queue.finish(rows).map(\.answer) == ["repeated", "cancelled"])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `without waiting, locked rows are answered busy by every function and the others are done`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claims = try await claims(queue, 2)
            let other = try await queue.elsewhere()
            for table in ["r", "t"] {
                try await other.connection.withTransaction { transaction in
                    let sql = "select 1 from absurd.\(table)_q where task_id = $1 for update"
                    _ = try await transaction.query(sql, [.uuid(claims[0].task)])
                    let rows = claims.map { ($0, "step of \(table)", "1" as String?) }
                    if table == "r" {
                        #expect(
                            try await queue.checkpoint(rows, wait: false).map(\.answer) == ["busy", "stored"])
                        #expect(
                            try await queue.renew(claims, wait: false).map(\.answer) == ["busy", "renewed"])
                    }
                    for action in ["complete", "fail", "sleep", "release"] {
                        // One row: the other stays claimed for the next round.
                        let answer = try await queue.finish(
                            [.init(claims[0], action, "1", delay: 1)], wait: false)
                        #expect(answer.map(\.answer) == ["busy"], "\(action), \(table)")
                    }
                    #expect(
                        try await queue.awaitEvent([(claims[0], "s", "e")], wait: false).map(\.answer) == [
                            "busy"
                        ])
                    #expect(
                        try await queue.awaitTask([(claims[0], "s", claims[1].task)], wait: false).map(
                            \.answer)
                            == ["busy"])
                }
            }
            #expect(try await queue.count("r", where: "state = 'running'") == 2)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `no deadlock escapes when the claim of absurd cancels by policy what is being finished`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let foreign = try await queue.elsewhere()
            for _ in 0..<4 {
                try await queue.setClock("2030-01-01 10:00:00+00")
                try await foreign.setClock("2030-01-01 11:00:00+00")
                let claims = try await claims(queue, 100)
                async let sweeping: Void = foreign.run(
                    "select count(*) from absurd.claim_task($1, 'foreign', 30, 1)", [.text(queue.name)])
                let answers = try await finishGivingWay(queue, claims)
                try await sweeping
                #expect(Set(answers).isSubset(of: ["done", "cancelled"]))
                #expect(try await queue.count("t", where: "state not in ('completed', 'cancelled')") == 0)
            }
        }
    }

    private func finishGivingWay(
        _ queue: ExtensionQueue, _ claims: [ExtensionQueue.Claim]
    ) async throws -> [String] {
        try await givingWay(claims) { claims, wait in
            try await queue.finish(claims.map { .init($0, "complete") }, wait: wait)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `many workers drain a queue, each task once and without an error`(_ variant: QueueVariant)
        async throws
    {
        try await variant.withQueue { queue in
            try await queue.spawn(Array(repeating: "task", count: 400))
            let done = try await withThrowingTaskGroup(of: Int.self) { group in
                for worker in 0..<4 {
                    let queue = try await queue.elsewhere()
                    group.addTask {
                        var done = 0
                        while true {
                            let claims = try await queue.claim(limit: 20, worker: "w\(worker)")
                            if claims.isEmpty, try await queue.count("r", where: "state = 'pending'") == 0 {
                                break
                            }
                            done += try await finishGivingWay(queue, claims).count { $0 == "done" }
                        }
                        return done
                    }
                }
                return try await group.reduce(into: 0, +=)
            }
            #expect(done == 400)
            #expect(try await queue.count("t", where: "state = 'completed'") == 400)
        }
    }
}
