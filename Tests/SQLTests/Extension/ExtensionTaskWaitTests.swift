import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionTaskWaitTests {
    /// A parent and a child, both claimed.
    private func pair(
        _ queue: ExtensionQueue
    ) async throws -> (parent: ExtensionQueue.Claim, child: ExtensionQueue.Claim) {
        (try await queue.claimNew("parent"), try await queue.claimNew("child"))
    }

    @Test(arguments: QueueVariant.all)
    func `a parked run is woken when its task ends, however that happens`(_ variant: QueueVariant)
        async throws
    {
        try await variant.withQueue { queue in
            let endings: [(String, (ExtensionQueue.Claim) async throws -> Void)] = [
                (
                    #"{"state": "completed", "result": 7}"#,
                    { _ = try await queue.finish([.init($0, "complete", "7")]) }
                ),
                (
                    #"{"state": "failed", "failure": {"a": 1}}"#,
                    { _ = try await queue.finish([.init($0, "fail_final", #"{"a": 1}"#)]) }
                ),
                (#"{"state": "cancelled"}"#, { _ = try await queue.cancel([$0.task]) }),
            ]
            for (snapshot, end) in endings {
                let (parent, child) = try await pair(queue)
                #expect(
                    try await queue.awaitTask([(parent, "s", child.task)], park: false) == [.only("absent")])
                #expect(try await queue.awaitTask([(parent, "s", child.task)]) == [.only("parked")])
                #expect(try await queue.awaitTask([(parent, "s", child.task)]) == [.only("parked")])
                try await end(child)
                let resumed = try #require(try await queue.claim().first)
                #expect(resumed.run == parent.run)
                let answer = try await queue.awaitTask([(resumed, "s", child.task)])
                #expect(answer.map(\.answer) == ["received"])
                let isSame = "select ($1::jsonb = $2::jsonb)::text"
                let value = try #require(answer[0].value)
                #expect(try await queue.text(isSame, [.text(snapshot), .text(value)]) == "true")
                _ = try await queue.finish([.init(resumed, "complete")])
            }
            #expect(try await queue.text("select count(*)::text from absurd_swift.result_waits") == "0")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `an expired claim and a policy that end the task wake its parent too`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let parents = [try await queue.claimNew("p1"), try await queue.claimNew("p2")]
            let crashed = try await queue.claimNew("crashed", options: #"{"max_attempts": 1}"#)
            let slow = try await queue.claimNew("slow", options: #"{"cancellation": {"max_duration": 60}}"#)
            _ = try await queue.awaitTask([(parents[0], "s", crashed.task), (parents[1], "s", slow.task)])
            try await queue.setClock("2030-01-01 10:01:00+00")
            #expect(Set(try await queue.claim().map(\.run)) == Set(parents.map(\.run)))
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a task in another queue is awaited as well, and an unknown one is said to be unknown`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            var children = queue
            children.name = "children"
            try await children.create(variant.storageMode)
            let child = try await children.claimNew()
            let parent = try await queue.claimNew()
            #expect(
                try await queue.awaitTask([(parent, "s", child.task)], in: "nowhere") == [.only("unknown")])
            #expect(try await queue.awaitTask([(parent, "s", UUID())], in: "children") == [.only("unknown")])
            #expect(
                try await queue.awaitTask([(parent, "s", child.task)], in: "children") == [.only("parked")])
            _ = try await children.finish([.init(child, "complete")])
            #expect(try await queue.claim().map(\.run) == [parent.run])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a task ended by a foreign worker is found when the run looks again`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let (parent, child) = try await pair(queue)
            _ = try await queue.awaitTask([(parent, "s", child.task)])
            try await queue.run(
                "select absurd.complete_run($1, $2, '1')", [.text(queue.name), .uuid(child.run)])
            #expect(try await queue.claim().isEmpty)
            try await queue.setClock("2030-01-01 11:00:00+00")
            let resumed = try #require(try await queue.claim().first)
            #expect(try await queue.awaitTask([(resumed, "s", child.task)]).map(\.answer) == ["received"])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a registration from before does not disturb what the run waits for now`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let (parent, child) = try await pair(queue)
            _ = try await queue.awaitTask([(parent, "s", child.task)])
            try await queue.setClock("2030-01-01 11:00:00+00")
            let resumed = try #require(try await queue.claim().first { $0.run == parent.run })
            _ = try await queue.awaitEvent([(resumed, "other", "e")])
            _ = try await queue.cancel([child.task])
            #expect(try await queue.claim().isEmpty)
            #expect(try await queue.count("w") == 1)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a task that ends while its parent is parking wakes it: the parent was first`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let (parent, child) = try await pair(queue)
            let other = try await queue.elsewhere()
            try await withThrowingTaskGroup { group in
                try await queue.connection.withTransaction { _ in
                    #expect(try await queue.awaitTask([(parent, "s", child.task)]) == [.only("parked")])
                    // Not through absurd_swift.finish, whose lock_timeout would end the wait.
                    group.addTask {
                        _ = try await other.connection.query(
                            "select * from absurd_swift.finish_rows($1, 'w', $2, $3, $4, $5, $5, $6, $7, true, false)",
                            [
                                .text(other.name), .uuidArray([child.run]), .timestampArray([child.token]),
                                .textArray(["complete"]), .textArray([nil]), .timestampArray([nil]),
                                .doubleArray([nil]),
                            ])
                    }
                    try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
                }
                try await group.waitForAll()
            }
            #expect(try await queue.claim().map(\.run) == [parent.run])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a task that ends while its parent is parking is seen: the child was first`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let (parent, child) = try await pair(queue)
            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { _ in
                _ = try await other.finish([.init(child, "complete", "1")])
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await queue.awaitTask([(parent, "s", child.task)])
                }
                #expect(error?.sqlState == "55P03")
                #expect(
                    try await queue.awaitTask([(parent, "s", child.task)], wait: false) == [.only("busy")])
            }
            #expect(try await queue.awaitTask([(parent, "s", child.task)]).map(\.answer) == ["received"])
        }
    }

    /// The end of the awaited task may be dropping it at that moment.
    @Test(arguments: QueueVariant.unpartitioned)
    func `a task that ends does not wait for its registration, which somebody else holds`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let parents = [try await queue.claimNew(), try await queue.claimNew()]
            let child = try await queue.spawn(["child"])[0]
            for parent in parents { _ = try await queue.awaitTask([(parent, "s", child)]) }
            try await queue.run(
                "update absurd.r_q set available_at = absurd.current_time() where state = 'sleeping'")
            let resumed = try await queue.claim().filter { $0.task != child }
            #expect(resumed.count == 2)
            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { transaction in
                let held = try await transaction.query("select 1 from absurd_swift.result_waits for update")
                #expect(held.count == 2)
                for (parent, wait) in zip(resumed, [false, true]) {
                    #expect(
                        try await queue.finish([.init(parent, "complete")], wait: wait).map(\.answer) == [
                            "done"
                        ])
                }
            }
            // Left behind, without effect, until the awaited task ends.
            #expect(try await queue.text("select count(*)::text from absurd_swift.result_waits") == "2")
            #expect(try await queue.cancel([child]).map(\.answer) == ["cancelled"])
            #expect(try await queue.text("select count(*)::text from absurd_swift.result_waits") == "0")
            #expect(try await queue.count("t", where: "state = 'completed'") == 2)
        }
    }
}
