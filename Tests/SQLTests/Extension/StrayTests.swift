import LibPQ
import TestSupport
import Testing

/// Runs that a worker holds and does not know of.
@Suite(.timeLimit(.minutes(10)))
struct StrayTests {
    @Test(arguments: QueueVariant.all)
    func `what the worker does not know of is given back, due now, with its attempt`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b", "c"], options: #"{"max_attempts": 1}"#)
            let known = try await queue.claim(limit: 1, timeout: 3600)
            let strays = try await queue.claim(limit: 2, timeout: 3600)
            #expect(try await queue.giveBackStrays(of: "w", knowing: known) == 2)
            #expect(try await queue.renew(known).map(\.answer) == ["renewed"])
            #expect(try await queue.renew(strays).map(\.answer) == ["lost", "lost"])
            #expect(try await queue.count("t", where: "state = 'pending'") == 2)
            let again = try await queue.claim(worker: "other")
            #expect(Set(again.map(\.run)) == Set(strays.map(\.run)))
            #expect(again.map(\.attempt) == [1, 1])
            #expect(try await queue.giveBackStrays(of: "w", knowing: known) == 0)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a run that is known under an older claim only is a stray`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let old = try await queue.claimNew()
            _ = try await queue.finish([.init(old, "release")])
            let new = try await queue.claim()
            #expect(new.map(\.run) == [old.run])
            #expect(try await queue.giveBackStrays(of: "w", knowing: new) == 0)
            #expect(try await queue.giveBackStrays(of: "w", knowing: [old]) == 1)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `runs of others, and those that wait or have ended, are left alone`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let names = ["complete", "fail_final", "sleep", "cancel", "wait"]
            try await queue.spawn(names)
            let claims = Dictionary(
                uniqueKeysWithValues: try await queue.claim().map { ($0.taskName, $0) })
            _ = try await queue.finish(
                try names.prefix(3).map { .init(try #require(claims[$0]), $0, "1", delay: 3600) })
            _ = try await queue.cancel([try #require(claims["cancel"]).task])
            _ = try await queue.awaitEvent([(try #require(claims["wait"]), "s", "e")])
            try await queue.spawn(["other"])
            #expect(try await queue.claim(worker: "v").count == 1)
            let before = try await queue.contents()
            #expect(try await queue.giveBackStrays(of: "w") == 0)
            #expect(try await queue.contents() == before)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a stray that somebody holds is left for the next call`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b"])
            let claims = try await queue.claim()
            let other = try await queue.elsewhere()
            for table in ["r", "t"] {
                try await other.connection.withTransaction { transaction in
                    _ = try await transaction.query(
                        "select 1 from absurd.\(table)_q where task_id = $1 for update",
                        [.uuid(claims[0].task)])
                    #expect(try await queue.giveBackStrays(of: "w") == (table == "r" ? 1 : 0))
                }
            }
            #expect(try await queue.giveBackStrays(of: "w") == 1)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `no table is scanned beside 5,000 runs that wait or have ended`(
        _ variant: QueueVariant, isAnalyzed: Bool
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingIndexes()
            try await queue.fill(5000, states: ["pending", "completed"])
            if isAnalyzed { try await queue.run("analyze absurd.t_q, absurd.r_q") }
            let known = try await queue.claim(limit: 100)
            let strays = try await queue.claim(limit: 100)
            try await queue.expectReads(perRow: 4, 200) {
                let count = try await queue.giveBackStrays(of: "w", knowing: known)
                #expect(count == strays.count)
            }
        }
    }
}
