import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionClaimTests {
    @Test(arguments: QueueVariant.all)
    func `a claim takes the oldest due runs, in order, and says what it replaced`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            try await queue.spawn(["first"])
            try await queue.setClock("2030-01-01 10:00:01+00")
            try await queue.spawn(["second"])
            try await queue.setClock("2030-01-01 10:00:02+00")
            try await queue.spawn(["third"])
            try await queue.setClock("2030-01-01 10:00:03+00")

            let claims = try await queue.claim(limit: 2)
            #expect(claims.map(\.taskName) == ["first", "second"])
            #expect(claims.map(\.isResumed) == [false, false])
            #expect(claims[0].due < claims[1].due)
            #expect(try await queue.claim(limit: 2).map(\.taskName) == ["third"])
            #expect(try await queue.claim().isEmpty)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `runs due before the lower bound are left for a claim without one`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            try await queue.spawn(["early"])
            try await queue.setClock("2030-01-01 10:00:01+00")
            try await queue.spawn(["late"])
            let late = try await queue.connection.query("select max(available_at) from absurd.r_q")
            let bound = try #require(late.first).decode(0, as: PostgresTimestamp.self)
            #expect(try await queue.claim(from: bound).map(\.taskName) == ["late"])
            #expect(try await queue.claim().map(\.taskName) == ["early"])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `an expired claim is failed and its next attempt claimed by the same call`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            // By the real clock, under which the official claim needs a second call.
            let lost = try await queue.claimNew()
            try await queue.run(
                "update absurd.r_q set claim_expires_at = clock_timestamp() - interval '1 second'")
            let next = try #require(try await queue.claim(worker: "other").first)
            #expect(next.task == lost.task)
            #expect(next.attempt == 2)
            let reason = try await queue.text(
                """
                select concat_ws(' ', failure_reason ->> 'name', failure_reason ->> 'workerId',
                         failure_reason ->> 'attempt', failure_reason ? 'claimExpiredAt', failure_reason ? 'message')
                  from absurd.r_q where state = 'failed'
                """)
            #expect(reason == "$ClaimTimeout w 1 t t")
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a malformed policy neither stops the claim nor the end of its task`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let tasks = try await queue.spawn(["poisoned", "healthy"])
            try await queue.run(
                """
                update absurd.t_q set cancellation = '{"max_delay": 1.5, "max_duration": "soon"}' where task_id = $1
                """, [.uuid(tasks[0])])
            let claims = try await queue.claim()
            #expect(Set(claims.map(\.taskName)) == ["poisoned", "healthy"])
            #expect(
                try await queue.finish(claims.map { .init($0, "fail", "{}") }).map(\.answer) == [
                    "done", "done",
                ])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `policies end tasks that did not start or did not end in time`(_ variant: QueueVariant) async throws
    {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            try await queue.spawn(["slow", "sleeper"], options: #"{"cancellation": {"max_duration": 60}}"#)
            let claims = try await queue.claim()
            let sleeper = try #require(claims.first { $0.taskName == "sleeper" })
            _ = try await queue.finish([.init(sleeper, "sleep", delay: 3600)])
            try await queue.spawn(["late"], options: #"{"cancellation": {"max_delay": 30}}"#)
            // Not swept yet, though the claim's own timeout has passed for nobody.
            try await queue.setClock("2030-01-01 10:00:29+00")
            _ = try await queue.claim(limit: 0)
            #expect(try await queue.count("t", where: "state = 'cancelled'") == 0)

            try await queue.setClock("2030-01-01 10:01:00+00")
            #expect(try await queue.claim().isEmpty)
            #expect(
                try await queue.count("t", where: "state = 'cancelled' and cancelled_at is not null") == 3)
            #expect(
                try await queue.count("r", where: "state = 'cancelled' and claimed_by is null") == 3)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a claim that does not sweep takes no task that its policy has ended`(_ variant: QueueVariant)
        async throws
    {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let policy = #"{"cancellation": {"max_delay": 30, "max_duration": 60}}"#
            try await queue.spawn(["started"], options: policy)
            _ = try await queue.finish([.init(try await queue.claim()[0], "release")])
            try await queue.spawn(["unstarted"], options: policy)
            try await queue.spawn(["plain"])
            try await queue.spawn(["patient"], options: #"{"cancellation": {"max_duration": 60}}"#)
            func names() async throws -> Set<String> {
                try await queue.run("begin")
                let names = Set(try await queue.claim(sweeps: false).map(\.taskName))
                try await queue.run("rollback")
                return names
            }
            try await queue.setClock("2030-01-01 10:00:29+00")
            #expect(try await names() == ["started", "unstarted", "plain", "patient"])
            try await queue.setClock("2030-01-01 10:00:30+00")
            #expect(try await names() == ["started", "plain", "patient"])
            try await queue.setClock("2030-01-01 10:01:00+00")
            #expect(try await names() == ["plain", "patient"])
            #expect(try await queue.count("t", where: "state = 'cancelled'") == 0)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `one claim cancels up to two thousand tasks and takes none of the others that are overdue`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            try await queue.spawn(
                Array(repeating: "overdue", count: 4500), options: #"{"cancellation": {"max_delay": 1}}"#)
            try await queue.setClock("2030-01-01 10:00:05+00")
            try await queue.spawn(["due"])
            #expect(try await queue.claim().map(\.taskName) == ["due"])
            #expect(try await queue.count("t", where: "state = 'cancelled'") == 2000)
            #expect(try await queue.claim(limit: 2500).isEmpty)
            #expect(try await queue.count("t", where: "state = 'cancelled'") == 4500)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `sweeps leave a wait that an emission is deleting and end its task all the same`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let other = try await queue.elsewhere()
            try await queue.setClock("2030-01-01 10:00:00+00")
            try await other.setClock("2030-01-01 10:00:01+00")
            try await queue.spawn(["overdue"], options: #"{"cancellation": {"max_duration": 2}}"#)
            try await queue.spawn(["crashed"], options: #"{"max_attempts": 1}"#)
            _ = try await queue.awaitEvent(try await queue.claim().map { ($0, "s", "e") }, timeout: 1)
            try await queue.setClock("2030-01-01 10:00:01+00")
            try await other.run("begin")
            try await other.emit("e")
            #expect(try await queue.claim(timeout: 1).count == 2)
            try await queue.setClock("2030-01-01 10:00:05+00")
            #expect(try await queue.claim().isEmpty)
            #expect(
                try await queue.text(
                    "select string_agg(task_name || ' ' || state, ', ' order by task_name) from absurd.t_q")
                    == "crashed failed, overdue cancelled")
            try await other.run("rollback")

            // The emission was rolled back. The next one removes what is left, and wakes nobody.
            #expect(try await queue.count("w") == 2)
            try await queue.emit("e")
            #expect(try await queue.count("w") == 0)
            #expect(try await queue.count("r", where: "state in ('failed', 'cancelled')") == 2)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a wait without a deadline that is locked elsewhere does not hold up a sweep either`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let other = try await queue.elsewhere()
            try await queue.setClock("2030-01-01 10:00:00+00")
            let overdue = try await queue.claimNew(options: #"{"cancellation": {"max_duration": 2}}"#)
            _ = try await queue.awaitEvent([(overdue, "s", "e")])
            try await queue.setClock("2030-01-01 10:00:05+00")
            try await other.connection.withTransaction { transaction in
                _ = try await transaction.query("select 1 from absurd.w_q for update")
                #expect(try await queue.claim().isEmpty)
                #expect(try await queue.count("t", where: "state = 'cancelled'") == 1)
            }
            // The wait that is left means nothing to an emission, and goes with its task.
            try await queue.emit("e")
            #expect(try await queue.count("r", where: "state = 'cancelled'") == 1)
            #expect(try await queue.count("w") == 1)
            try await queue.setClock("2030-01-01 10:00:10+00")
            try await queue.run("select absurd.cleanup_tasks('q', 0)")
            #expect(try await queue.count("w") == 0)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `sweeps and claims pass over what others hold`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let policy = #"{"cancellation": {"max_delay": 0}}"#
            try await queue.spawn(["expired"])
            _ = try await queue.claim(timeout: 1)
            try await queue.run(
                "update absurd.r_q set claim_expires_at = clock_timestamp() - interval '1 second'")
            try await queue.spawn(["due"])
            try await queue.spawn(["cancelled"], options: policy)

            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { transaction in
                _ = try await transaction.query("select 1 from absurd.r_q for update")
                #expect(try await queue.claim().isEmpty)
            }
            try await other.connection.withTransaction { transaction in
                _ = try await transaction.query("select 1 from absurd.t_q for update")
                #expect(try await queue.claim().isEmpty)
                #expect(try await queue.count("r", where: "state = 'running'") == 1)
            }
            #expect(Set(try await queue.claim().map(\.taskName)) == ["expired", "due"])
            #expect(try await queue.count("t", where: "state = 'cancelled'") == 1)
        }
    }
}
