import LibPQ
import TestSupport
import Testing

/// What becomes of the runs of workers that died, or were taken for dead.
@Suite(.timeLimit(.minutes(10)))
struct LostWorkerTests {
    private func withQueue(_ body: (ExtensionQueue) async throws -> Void) async throws {
        try await QueueVariant.all[0].withQueue(body)
    }

    @Test(arguments: QueueVariant.all)
    func `the runs of a silent worker fail and are attempted again`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            let claims = try await queue.give(3, to: "w")
            // Three hold an attempt after this one.
            try await queue.silence("w", seconds: 3.1)
            #expect(try await queue.reap() == .init("w", runs: 3, isOut: true))
            #expect(try await queue.registered() == "observer")
            #expect(try await queue.runStates() == "failed 3, pending 3")
            let reason = try await queue.text(
                """
                select concat_ws(' ', failure_reason ->> 'name', failure_reason ->> 'workerId',
                         failure_reason ->> 'attempt', failure_reason ? 'lastSeenAt', failure_reason ? 'message')
                  from absurd.r_q where state = 'failed' limit 1
                """)
            #expect(reason == "$WorkerLost w 1 t t")
            let again = try await queue.claim(worker: "other")
            #expect(Set(again.map(\.task)) == Set(claims.map(\.task)))
            #expect(again.map(\.attempt) == [2, 2, 2])
        }
    }

    @Test func `the next attempt waits for the retry delay`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            _ = try await queue.give(
                1, to: "w", options: #"{"retry_strategy": {"kind": "fixed", "base_seconds": 60}}"#)
            try await queue.silence("w", seconds: 4)
            _ = try await queue.reap()
            #expect(try await queue.runStates() == "failed 1, sleeping 1")
            let delay = try await queue.text(
                "select round(extract(epoch from available_at - absurd.current_time()))::text from absurd.r_q where state = 'sleeping'"
            )
            #expect(delay == "60")
        }
    }

    @Test func `a worker that lives after all is refused everything`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            let claim = try await queue.give(1, to: "w")[0]
            try await queue.silence("w", seconds: 4)
            _ = try await queue.reap()
            #expect(try await queue.beat(["w"], running: 1).gone == "w")
            #expect(try await queue.finish([.init(claim, "complete")]).map(\.answer) == ["failed"])
            #expect(try await queue.checkpoint([(claim, "s", "1")]).map(\.answer) == ["failed"])
            #expect(try await queue.renew([claim]).map(\.answer) == ["failed"])
            #expect(try await queue.claimRefusal("w") == "AS009")
        }
    }

    @Test func `a final attempt waits for ten beats, and its holder may still end it`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            let claims = try await queue.give(3, to: "w", options: #"{"max_attempts": 1}"#)
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: false))
            // From here on it claims nothing, but what it holds is its own.
            #expect(try await queue.beat(["w"], running: 3).gone == "w")
            #expect(
                try await queue.finish([.init(claims[0], "complete"), .init(claims[1], "release")]).map(
                    \.answer)
                    == ["done", "done"])
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: false))
            try await queue.silence("w", seconds: 7)
            #expect(try await queue.reap() == .init("w", runs: 1, isOut: true))
            #expect(try await queue.runStates() == "completed 1, failed 1, pending 1")
            #expect(try await queue.count("t", where: "state = 'failed'") == 1)
        }
    }

    @Test func `after an outage all beats are old and nobody is given up`() async throws {
        try await withQueue { queue in
            for worker in ["a", "b", "c"] {
                try await queue.registerObserver(worker)
                _ = try await queue.give(1, to: worker)
                _ = try await queue.beat([worker], running: 1)
                try await queue.silence(worker, seconds: 20)
            }
            // Who comes back first sees the others silent, and may not judge.
            let first = try await queue.beat(["a"], running: 1)
            #expect(first.suspects && !first.mayReap)
            #expect(try await queue.reap("a") == nil)
            _ = try await queue.beat(["b"], running: 1)
            let second = try await queue.beat(["c"], running: 1)
            #expect(!second.suspects && !second.mayReap)
            #expect(try await queue.runStates() == "running 3")
        }
    }

    @Test func `after the clock was set forward an observer gives idle workers time to beat`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("idle")
            try await queue.register("busy")
            _ = try await queue.give(1, to: "busy")
            for worker in ["idle", "busy"] { try await queue.silence(worker, seconds: 25) }
            // As it is some seconds after the step, when it has been steady for the window again.
            try await queue.run(
                "update absurd_swift.workers set steady_since = clock_timestamp() - interval '4 s' where worker_id = 'observer'"
            )
            #expect(try await queue.reap() == .init("busy", runs: 1, isOut: true))
            #expect(try await queue.reap() == nil)
            try await queue.run(
                "update absurd_swift.workers set steady_since = clock_timestamp() - interval '7.1 s' where worker_id = 'observer'"
            )
            #expect(try await queue.reap() == .init("idle", runs: 0, isOut: true))
        }
    }

    @Test func `a verdict waits for no disk, unless it may end a task`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            for (seconds, setting) in [(4.0, "off"), (11, "on")] {
                try await queue.register("w\(setting)")
                _ = try await queue.give(1, to: "w\(setting)")
                try await queue.silence("w\(setting)", seconds: seconds)
                try await queue.run("begin")
                #expect(try await queue.reap() == .init("w\(setting)", runs: 1, isOut: true))
                #expect(try await queue.text("show synchronous_commit") == setting)
                try await queue.run("commit")
            }
        }
    }

    @Test func `after the clock was set back the dead are still found`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            _ = try await queue.give(1, to: "w")
            try await queue.silence("w", seconds: -3600)
            #expect(try await queue.beat(["observer"]).mayReap)
            #expect(try await queue.reap() == nil)
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.reap() == .init("w", runs: 1, isOut: true))
        }
    }

    @Test func `one run that cannot be failed does not keep the others`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            _ = try await queue.give(3, to: "w")
            try await queue.connection.execute(
                script: """
                    create function poison() returns trigger language plpgsql as $$
                    begin
                      if new.state = 'failed' and exists (
                        select from absurd.t_q where task_id = new.task_id and task_name = 'task 2')
                      then
                        perform 'x'::integer;
                      end if;
                      return new;
                    end $$;
                    create trigger poison before update on absurd.r_q for each row execute function poison();
                    """)
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.reap() == .init("w", runs: 2, isOut: false))
            #expect(try await queue.runStates() == "failed 2, pending 2, running 1")
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: false))
            // What stays is left to its claim's end.
            try await queue.run(
                "update absurd_swift.workers set lost_at = lost_at - interval '2 minutes' where worker_id = 'w'"
            )
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: true))
        }
    }

    @Test func `many runs are given up in several calls`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            _ = try await queue.give(5, to: "w")
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.reap(limit: 3) == .init("w", runs: 3, isOut: false))
            #expect(try await queue.reap(limit: 3) == .init("w", runs: 2, isOut: true))
            #expect(try await queue.reap() == nil)
        }
    }

    @Test func `those who never registered are not touched`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.spawn(["one", "two"])
            _ = try await queue.claim(limit: 1, worker: "python")
            try await queue.run("select absurd.claim_task('q', 'another', 60, 1)")
            try await queue.register("w")
            try await queue.silence("w", seconds: 60)
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: true))
            #expect(try await queue.workerLost("python") == nil)
            #expect(try await queue.runStates() == "running 2")
        }
    }

    @Test func `a worker that is known to be dead is given up at once, final attempts too`() async throws {
        try await withQueue { queue in
            try await queue.register("a", process: "p")
            try await queue.register("b", process: "p")
            try await queue.register("c", process: "q")
            for worker in ["a", "b", "c"] {
                _ = try await queue.give(1, to: worker, options: #"{"max_attempts": 1}"#)
            }
            #expect(try await queue.workerLost("a") == .init("a", runs: 1, isOut: true))
            #expect(try await queue.workerLost("a") == nil)
            #expect(try await queue.processLost("p") == .init("b", runs: 1, isOut: true))
            #expect(try await queue.processLost("p") == nil)
            #expect(try await queue.registered() == "c")
            #expect(try await queue.runStates() == "failed 2, running 1")
        }
    }

    @Test func `a worker of a queue that was dropped goes`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("w")
            _ = try await queue.give(1, to: "w")
            try await queue.run("select absurd.drop_queue('q')")
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.reap() == .init("w", runs: 0, isOut: true))
        }
    }
}
