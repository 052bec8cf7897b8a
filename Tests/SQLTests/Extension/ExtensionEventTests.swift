import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionEventTests {
    @Test(arguments: QueueVariant.all)
    func `a run parks until its event comes, and a resend says so`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            #expect(try await queue.awaitEvent([(claim, "s", "e")], park: false) == [.only("absent")])
            #expect(try await queue.count("e") == 0)
            #expect(try await queue.awaitEvent([(claim, "s", "e")]) == [.only("parked")])
            #expect(try await queue.awaitEvent([(claim, "s", "e")]) == [.only("parked")])
            #expect(try await queue.claim().isEmpty)

            try await queue.emit("e", #"{"a": 1}"#)
            let resumed = try #require(try await queue.claim().first)
            #expect(resumed.run == claim.run)
            #expect(
                try await queue.awaitEvent([(resumed, "s", "e")]) == [
                    .init(answer: "received", value: #"{"a": 1}"#)
                ])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `an event that is there is stored and returned, JSON null included`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.emit("e")
            let claim = try await queue.claimNew()
            #expect(
                try await queue.awaitEvent([(claim, "s", "e")], park: false)
                    == [.init(answer: "received", value: "null")])
            #expect(try await queue.count("c", where: "state = 'null'") == 1)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a timeout is told once, then the wait starts again`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let claim = try await queue.claimNew()
            _ = try await queue.awaitEvent([(claim, "s", "e")], timeout: 5)
            try await queue.setClock("2030-01-01 10:00:05+00")
            let resumed = try #require(try await queue.claim().first)
            #expect(resumed.wakeEvent == "e")
            #expect(try await queue.count("w") == 0)
            #expect(try await queue.awaitEvent([(resumed, "s", "other")], park: false) == [.only("absent")])
            #expect(try await queue.awaitEvent([(resumed, "s", "e")], timeout: 5) == [.only("timed_out")])
            #expect(try await queue.awaitEvent([(resumed, "s", "e")], timeout: 5) == [.only("parked")])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a timeout is still to be told after the run was put off, not after it slept in a step`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let claim = try await queue.claimNew()
            _ = try await queue.awaitEvent([(claim, "s", "e")], timeout: 5)
            try await queue.setClock("2030-01-01 10:00:05+00")
            // A worker without a handler for this task: it has executed nothing.
            let stranger = try #require(try await queue.claim().first)
            _ = try await queue.finish([.init(stranger, "sleep", delay: 1)])
            try await queue.setClock("2030-01-01 10:00:06+00")
            let resumed = try #require(try await queue.claim().first)
            #expect(resumed.wakeEvent == "e")
            #expect(try await queue.awaitEvent([(resumed, "s", "e")], timeout: 5) == [.only("timed_out")])

            _ = try await queue.awaitEvent([(resumed, "s", "e")], timeout: 5)
            try await queue.setClock("2030-01-01 10:00:11+00")
            let moved = try #require(try await queue.claim().first)
            _ = try await queue.finish([.init(moved, "sleep", "1", step: "nap", delay: 1)])
            try await queue.setClock("2030-01-01 10:00:12+00")
            #expect(try await queue.claim().map(\.wakeEvent) == [nil])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a late event is delivered instead of the timeout`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            let claim = try await queue.claimNew()
            _ = try await queue.awaitEvent([(claim, "s", "e")], timeout: 5)
            try await queue.setClock("2030-01-01 10:00:06+00")
            let resumed = try #require(try await queue.claim().first)
            try await queue.emit("e", "5")
            #expect(
                try await queue.awaitEvent([(resumed, "s", "e")]) == [.init(answer: "received", value: "5")])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `waits that cannot be written are refused alone`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b", "c", "d"])
            let claims = try await queue.claim()
            let answers = try await queue.awaitEvent([
                (claims[0], "s", "e"), (claims[1], "s", oversizeKey), (claims[2], "s", " "),
                (claims[3], "s", "e"),
            ])
            #expect(answers.map(\.answer) == ["parked", "refused", "refused", "parked"])
            #expect(answers.map(\.sqlState) == [nil, "54000", "AS005", nil])
            #expect(
                try await queue.awaitEvent([(claims[1], "s", "e")], timeout: -1).map(\.sqlState) == ["AS006"])
        }
    }

    @Test(arguments: QueueVariant.all)
    func `emitting waits for a parking transaction and then finds its wait`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            let other = try await queue.elsewhere()
            try await withThrowingTaskGroup { group in
                try await queue.connection.withTransaction { _ in
                    #expect(try await queue.awaitEvent([(claim, "s", "e")]) == [.only("parked")])
                    group.addTask { try await other.emit("e", "1") }
                    try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
                }
                try await group.waitForAll()
            }
            #expect(try await queue.count("r", where: "state = 'pending' and event_payload = '1'") == 1)
        }
    }

    @Test(arguments: QueueVariant.all)
    func `awaiting an event that is being emitted gives way in time and then receives it`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { _ in
                try await other.emit("e", "1")
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await queue.awaitEvent([(claim, "s", "e")])
                }
                #expect(error?.sqlState == "55P03")
            }
            #expect(
                try await queue.awaitEvent([(claim, "s", "e")]) == [.init(answer: "received", value: "1")])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `without waiting, an event that is being emitted is answered busy`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(["a", "b", "c"])
            let claims = try await queue.claim()
            _ = try await queue.awaitEvent([(claims[0], "s", "e")])
            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { _ in
                try await other.emit("e", "1")
                #expect(
                    try await queue.awaitEvent([(claims[1], "s", "e"), (claims[2], "s", "f")], wait: false)
                        == [.only("busy"), .only("parked")])
            }
        }
    }
}
