import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionEmitTests {
    /// Too long for an index, also compressed.
    private static let longName = (0..<3000).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }
        .joined()

    @Test(arguments: QueueVariant.all, [false, true])
    func `several events wake their runs together, and only the first emission of a name counts`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            _ = try await queue.spawn(["a", "b", "c"])
            let claims = try await queue.claim()
            _ = try await queue.awaitEvent([
                (claims[0], "s", "x"), (claims[1], "s", "y"), (claims[2], "s", "z"),
            ])
            let answers = try await queue.emitTogether([("x", "1"), ("y", nil), ("x", "2"), ("w", "3")])
            #expect(answers.map(\.answer) == ["emitted", "emitted", "known", "emitted"])
            #expect(try await queue.emitTogether([("y", "4")]).map(\.answer) == ["known"])
            #expect(try await queue.claim().map(\.run) == [claims[0].run, claims[1].run])
            #expect(
                try await queue.connection.query("select state::text from absurd.c_q order by 1").map {
                    try $0.decode(0, as: String.self)
                } == ["1", "null"])
            #expect(try await queue.count("w") == 1)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a row at fault is refused alone`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let answers = try await queue.emitTogether([
                ("a", "1"), (" ", "2"), ("b", #""\u0000""#), ("c", "{"),
                (Self.longName, "1"),
                ("d", "5"),
            ])
            #expect(
                answers.map(\.answer) == ["emitted", "refused", "refused", "refused", "refused", "emitted"])
            #expect(answers.map(\.sqlState) == [nil, "AS005", "22P05", "22P02", "54000", nil])
            #expect(try await queue.count("e", where: "payload is not null") == 2)
        }
    }

    @Test func `a valid emission counts although an earlier one of that name in the call is refused`()
        async throws
    {
        try await QueueVariant.all[0].withQueue { queue in
            let answers = try await queue.emitTogether([("a", "{"), ("a", "2")])
            #expect(answers.map(\.answer) == ["refused", "emitted"])
            #expect(try await queue.text("select payload::text from absurd.e_q") == "2")
        }
    }

    @Test func `an event emitted alone is answered as among others`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.makeMissingFunctions()
            var answers: [ExtensionQueue.Answer] = []
            for row in [
                ("a", "1"), (" ", "2"), ("b", #""\u0000""#), ("c", "{"), (Self.longName, "1"), ("d", nil),
                ("a", "2"),
            ] { answers += try await queue.emitTogether([row]) }
            #expect(
                answers.map(\.answer)
                    == ["emitted", "refused", "refused", "refused", "refused", "emitted", "known"])
            #expect(answers.map(\.sqlState) == [nil, "AS005", "22P05", "22P02", "54000", nil, nil])
            #expect(
                try await queue.text(
                    "select string_agg(payload::text, ' ' order by event_name) from absurd.e_q") == "1 null")
        }
    }

    /// A wait whose deadline has passed is deleted, and its run, which is due anyway, is told of the deadline.
    @Test(arguments: [false, true])
    func `a wait whose deadline has passed gets nothing, others do`(isPlanned: Bool) async throws {
        try await QueueVariant.all[0].withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            try await queue.setClock("2030-01-01 10:00:00+00")
            _ = try await queue.spawn(["late", "patient"])
            let claims = try await queue.claim()
            _ = try await queue.awaitEvent([(claims[0], "s", "e"), (claims[1], "s", "e")])
            try await queue.run(
                "update absurd.w_q set timeout_at = '2030-01-01 10:01:00+00' where run_id = $1",
                [.uuid(claims[0].run)])
            try await queue.setClock("2030-01-01 10:02:00+00")
            #expect(try await queue.emitTogether([("e", "1")]).map(\.answer) == ["emitted"])
            #expect(try await queue.count("w") == 0)
            #expect(try await queue.claim().map(\.run) == [claims[1].run])
        }
    }

    @Test func `of two who emit an event at once one has emitted it`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.makeMissingFunctions()
            let other = try await queue.elsewhere()
            try await other.run("set lock_timeout = 0")
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.emitTogether([("e", "1")]).map(\.answer) == ["emitted"])
            async let answer = other.connection.query(
                "select * from absurd_swift.emit_rows('q', array['e'], array['2'], false)")
            try await TestDatabase.current.waitUntilBlocked(other.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await answer[0].decode("answer", as: String.self) == "known")
            #expect(try await queue.text("select payload::text from absurd.e_q") == "1")
        }
    }

    /// Emit may skip nobody: a run passed over would sleep for ever.
    @Test(arguments: QueueVariant.unpartitioned, [false, true])
    func `it gives way to whoever holds a waiting run, and wakes it when sent again`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            let claim = try await queue.claimNew()
            _ = try await queue.awaitEvent([(claim, "s", "e")])
            let other = try await queue.elsewhere()
            try await other.connection.withTransaction { transaction in
                _ = try await transaction.query(
                    "select 1 from absurd.r_q where run_id = $1 for update", [.uuid(claim.run)])
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await queue.emitTogether([("e", "1")])
                }
                #expect(error?.sqlState == "55P03")
            }
            #expect(try await queue.emitTogether([("e", "1")]).map(\.answer) == ["emitted"])
            #expect(try await queue.claim().map(\.run) == [claim.run])
        }
    }

    /// The waiter registers under a share lock on the event's row; the emitter writes that row first.
    @Test(arguments: [false, true])
    func `an emission beside an open wait finds it`(isPlanned: Bool) async throws {
        try await QueueVariant.all[0].withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            let claim = try await queue.claimNew()
            let emitter = try await queue.elsewhere()
            try await queue.connection.execute(script: "begin")
            _ = try await queue.awaitEvent([(claim, "s", "e")])
            try await emitter.run("set lock_timeout = 0")
            async let answer = emitter.connection.query(
                "select * from absurd_swift.emit_rows('q', array['e'], array['1'], false)")
            try await TestDatabase.current.waitUntilBlocked(emitter.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await answer[0].decode("answer", as: String.self) == "emitted")
            #expect(try await queue.claim().map(\.run) == [claim.run])
        }
    }
}
