import LibPQ
import TestSupport
import Testing

/// Registering, beating, and what a beat shows of the others.
@Suite(.timeLimit(.minutes(10)))
struct RegistryTests {
    private func withQueue(_ body: (ExtensionQueue) async throws -> Void) async throws {
        try await QueueVariant.all[0].withQueue(body)
    }

    @Test func `a worker registers, beats and deregisters`() async throws {
        try await withQueue { queue in
            try await queue.register("w")
            #expect(try await queue.beat(["w"], running: 3).gone == "")
            let row = try await queue.text(
                """
                select concat_ws(' ', queue, process, host, process_id, version, slots, running, restarts,
                         clock_timestamp() - beat_at < interval '1 minute')
                  from absurd_swift.workers
                """)
            #expect(row == "q process of w host 17 1.0 4 3 3 t")
            #expect(try await queue.text("select absurd_swift.deregister('w')::text") == "true")
            #expect(try await queue.registered() == nil)
            #expect(try await queue.text("select absurd_swift.deregister('w')::text") == "true")
            #expect(try await queue.beat(["w"]).gone == "w")
        }
    }

    @Test func `an id is registered once`() async throws {
        try await withQueue { queue in
            try await queue.register("w")
            let error = await #expect(throws: PostgresError.self) { try await queue.register("w") }
            #expect(error?.sqlState == "23505")
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a worker that holds a run stays registered`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.register("w")
            let claim = try await queue.give(1, to: "w")[0]
            #expect(try await queue.text("select absurd_swift.deregister('w')::text") == "false")
            #expect(try await queue.registered() == "w")
            #expect(try await queue.finish([.init(claim, "release")]).map(\.answer) == ["done"])
            #expect(try await queue.text("select absurd_swift.deregister('w')::text") == "true")
        }
    }

    @Test func `a claim is refused to a worker that is gone, and to nobody who never registered`()
        async throws
    {
        try await withQueue { queue in
            try await queue.spawn(["task"])
            #expect(try await queue.claimRefusal("w") == "AS009")
            #expect(try await queue.claim(worker: "w").count == 1)
        }
    }

    @Test func `a claim by an idle worker makes its silence matter at once`() async throws {
        try await withQueue { queue in
            try await queue.register("w")
            try await queue.silence("w", seconds: 4)
            #expect(try await queue.claimRegistered("w").isEmpty)
            let state = "select concat_ws(' ', running, claimed_at > beat_at) from absurd_swift.workers"
            #expect(try await queue.text(state) == "0")
            _ = try await queue.give(1, to: "w")
            #expect(try await queue.text(state) == "1 t")
            // Old as its last beat is, the claim has shown that it lives.
            try await queue.register("observer")
            #expect(
                try await queue.beat(["observer"])
                    == .init(gone: "", othersRun: true, suspects: false, mayReap: false))
        }
    }

    /// What is done to the observer before its beat, and whether it is steady then.
    @Test(arguments: [
        ("", true),
        ("beat_at = beat_at - interval '500 milliseconds'", true),
        ("beat_at = beat_at - interval '2100 milliseconds'", false),
        ("beat_at = beat_at + interval '1 hour', steady_since = steady_since + interval '1 hour'", false),
        ("beat_at = beat_at - interval '1 hour', steady_since = steady_since - interval '1 hour'", false),
    ])
    func `a gap, and a clock that was set, make an observer unsteady`(change: String, isSteady: Bool)
        async throws
    {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("dead")
            _ = try await queue.beat(["dead"], running: 1)
            try await queue.silence("dead", seconds: 4)
            if !change.isEmpty {
                try await queue.run("update absurd_swift.workers set \(change) where worker_id = 'observer'")
            }
            let beat = try await queue.beat(["observer"])
            #expect(beat == .init(gone: "", othersRun: true, suspects: true, mayReap: isSteady))
            #expect((try await queue.reap() != nil) == isSteady)
        }
    }

    @Test func `an observer that knows of a gap itself is unsteady`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("dead")
            try await queue.silence("dead", seconds: 30)
            #expect(try await queue.beat(["observer"]).mayReap)
            #expect(try await queue.beat(["observer"], isSteady: false).mayReap == false)
            #expect(try await queue.reap() == nil)
        }
    }

    @Test func `a worker without runs may be silent for longer`() async throws {
        try await withQueue { queue in
            try await queue.registerObserver()
            try await queue.register("idle")
            try await queue.silence("idle", seconds: 19)
            #expect(try await queue.beat(["observer"]).suspects == false)
            #expect(try await queue.reap() == nil)
            try await queue.silence("idle", seconds: 2)
            #expect(try await queue.beat(["observer"]).suspects)
            #expect(try await queue.reap() == .init("idle", runs: 0, isOut: true))
        }
    }

    @Test(arguments: ["2030-01-01 10:00:00+00", "2020-01-01 10:00:00+00"])
    func `the clock of tests makes nobody silent`(_ time: String) async throws {
        try await withQueue { queue in
            try await queue.setClock(time)
            try await queue.registerObserver()
            try await queue.register("w")
            _ = try await queue.give(1, to: "w")
            #expect(
                try await queue.beat(["observer"])
                    == .init(gone: "", othersRun: true, suspects: false, mayReap: false))
            #expect(try await queue.reap() == nil)
        }
    }
}
