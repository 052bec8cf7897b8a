import Foundation
import LibPQ
import TestSupport
import Testing

/// The advisory lock that is flag and barrier at once, statement by statement.
@Suite(.timeLimit(.minutes(10)))
struct WakeUpTests {
    /// A queue with its trigger, and a session that listens to it.
    private func withListener(
        _ variant: QueueVariant,
        _ body: (_ queue: ExtensionQueue, _ listener: ExtensionQueue) async throws -> Void
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeTrigger()
            let listener = try await queue.elsewhere()
            try await listener.connection.listen(to: "wake:q")
            try await body(queue, listener)
        }
    }

    /// What has been notified so far: commits are followed by one of the test's own, behind which nothing is missing.
    private func notifications(_ listener: ExtensionQueue, _ queue: ExtensionQueue) async throws -> [String] {
        try await queue.run("select pg_notify('wake:q', 'mark')")
        var payloads: [String] = []
        for await notification in listener.connection.notifications {
            if notification.payload == "mark" { return payloads }
            payloads.append(notification.payload)
        }
        return payloads
    }

    @Test(arguments: QueueVariant.all)
    func `two who make the trigger at the same time are both content`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            // Its own limit is too short for a test that watches it wait.
            try await queue.run("alter function absurd_swift.make_triggers(text) set lock_timeout = '1min'")
            let maker = try await queue.elsewhere()
            try await queue.connection.execute(script: "begin")
            try await queue.makeTrigger()
            async let made = maker.text("select absurd_swift.make_triggers('q')::text")
            try await TestDatabase.current.waitUntilBlocked(maker.connection.backendPID)
            try await queue.connection.execute(script: "commit")
            #expect(try await made == "0")
            #expect(
                try await queue.text("select count(*)::text from absurd_swift.missing_triggers('q')") == "0")
        }
    }

    @Test(arguments: QueueVariant.all)
    func `a spawn notifies only while a session is armed`(_ variant: QueueVariant) async throws {
        try await withListener(variant) { queue, listener in
            _ = try await queue.spawn(["a"])
            #expect(try await notifications(listener, queue) == [])
            _ = try await queue.claim()
            #expect(try await listener.arm().outcome == "armed")
            _ = try await queue.spawn(["b"])
            try await queue.run("select absurd.spawn_task('q', 'c', '{}')")
            #expect(try await notifications(listener, queue) == ["", ""])
            try await listener.run("select absurd_swift.disarm('q', true, false)")
            _ = try await queue.spawn(["d"])
            #expect(try await notifications(listener, queue) == [])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `whatever makes a run due notifies, and claims and ends do not`(_ variant: QueueVariant) async throws
    {
        try await withListener(variant) { queue, listener in
            _ = try await queue.spawn(["a", "b", "c", "d", "e", "f", "g"])
            _ = try await listener.arm()
            func notified(_ work: () async throws -> Void) async throws -> Bool {
                try await work()
                return try await !notifications(listener, queue).isEmpty
            }
            var claims: [ExtensionQueue.Claim] = []
            #expect(try await !notified { claims = try await queue.claim() })
            #expect(
                try await !notified { _ = try await queue.checkpoint([(claims[0], "s", "1")], renewing: 60) })
            #expect(try await !notified { _ = try await queue.renew(claims) })
            #expect(try await !notified { _ = try await queue.finish([.init(claims[0], "complete")]) })
            #expect(try await !notified { _ = try await queue.cancel([claims[1].task]) })
            #expect(try await notified { _ = try await queue.finish([.init(claims[2], "fail", "1")]) })
            #expect(
                try await notified { _ = try await queue.finish([.init(claims[3], "sleep", delay: 0.1)]) })
            #expect(try await notified { _ = try await queue.finish([.init(claims[4], "release")]) })
            #expect(try await notified { _ = try await queue.giveBackStrays(of: "w", knowing: [claims[5]]) })
            // Parking notifies too: its deadline may come before the time the idle workers sleep to.
            #expect(try await notified { _ = try await queue.awaitEvent([(claims[5], "s", "e")]) })
            #expect(try await notified { try await queue.emit("e") })
            // The official emit_event notifies for nobody too: a statement that touches no row fires its triggers.
            #expect(try await !notified { _ = try await queue.emitTogether([("nobody's", nil)]) })
        }
    }

    /// What a statement has claimed nobody else need know of; what it leaves to others they do.
    @Test(arguments: QueueVariant.all)
    func `statements that claim what they make due are quiet, and what follows them is not`(
        _ variant: QueueVariant
    ) async throws {
        try await withListener(variant) { queue, listener in
            try await queue.makeMissingFunctions()
            try await queue.register("w")
            let claims = [try await queue.claimNew(), try await queue.claimNew(), try await queue.claimNew()]
            _ = try await queue.awaitEvent([
                (claims[0], "s", "e"), (claims[1], "s", "both"), (claims[2], "s", "both"),
            ])
            _ = try await listener.arm()
            #expect(try await queue.spawnAndClaim(try await queue.newTasks([("a", nil)])[0]) != nil)
            let emission1 = try await queue.emitAndClaim("e")
            #expect(emission1.claim != nil)
            #expect(try await notifications(listener, queue) == [])
            try await queue.connection.execute(script: "begin")
            #expect(try await queue.spawnAndClaim(try await queue.newTasks([("b", nil)])[0]) != nil)
            _ = try await queue.spawn(["c"])
            try await queue.connection.execute(script: "commit")
            #expect(try await notifications(listener, queue) == [""])
            let emission2 = try await queue.emitAndClaim("both")
            #expect(emission2.claim == nil)
            #expect(try await notifications(listener, queue) == [""])
        }
    }

    @Test func `a trigger of an earlier version is made anew`() async throws {
        try await withListener(QueueVariant.all[0]) { queue, _ in
            try await queue.run(
                """
                create or replace trigger absurd_swift_wake after insert or update of wake_event on absurd.r_q
                  for each statement when (not pg_catalog.pg_try_advisory_xact_lock_shared(1, 2))
                  execute function absurd_swift.notify_wake('wake:q')
                """)
            // It notifies, so nobody has to wait for the new one.
            #expect(try await queue.arm().outcome == "armed")
            #expect(try await queue.text("select absurd_swift.make_triggers('q')::text") == "1")
            #expect(try await queue.text("select absurd_swift.make_triggers('q')::text") == "0")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a spawner that is open while a session arms keeps it out until its run can be seen`(
        _ variant: QueueVariant
    ) async throws {
        try await withListener(variant) { queue, listener in
            for isolation in ["read committed", "repeatable read"] {
                try await queue.connection.execute(script: "begin isolation level \(isolation)")
                _ = try await queue.spawn(["a"])
                #expect(try await listener.arm().outcome == "open")
                #expect(try await listener.arm().dueIn == nil)
                try await queue.connection.execute(script: "commit")
                let look = try await listener.arm()
                #expect(look.outcome == "armed")
                #expect(try #require(look.dueIn) <= 0)
                try await listener.run("select absurd_swift.disarm('q', true, false)")
                _ = try await queue.claim()
                try await queue.run("update absurd.r_q set claim_expires_at = null")
            }
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a spawner whose snapshot is older than the arming notifies all the same`(
        _ variant: QueueVariant
    ) async throws {
        try await withListener(variant) { queue, listener in
            try await queue.connection.execute(script: "begin isolation level repeatable read")
            #expect(try await queue.count("r") == 0)
            #expect(try await listener.arm().outcome == "armed")
            _ = try await queue.spawn(["a"])
            try await queue.connection.execute(script: "commit")
            #expect(try await notifications(listener, queue) == [""])
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `one session is armed at a time, a second stands by and takes over from one that is gone`(
        _ variant: QueueVariant
    ) async throws {
        try await withListener(variant) { queue, first in
            let second = try await queue.elsewhere()
            try await second.connection.listen(to: "wake:q")
            #expect(try await first.arm().outcome == "armed")
            #expect(try await first.arm(isArmed: true).outcome == "armed")
            #expect(try await second.arm().outcome == "standby")
            try await first.run("select absurd_swift.disarm('q', true, true)")
            #expect(try await notifications(second, queue) == ["next"])
            #expect(try await second.arm().outcome == "armed")
            #expect(try await first.arm().outcome == "standby")
            try await queue.run(
                "select pg_terminate_backend($1, 10000)", [.int(Int64(second.connection.backendPID))])
            #expect(try await first.arm().outcome == "armed")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a look says when the next thing has to be done`(_ variant: QueueVariant) async throws {
        try await withListener(variant) { queue, _ in
            try await queue.setClock("2030-01-01 10:00:00+00")
            #expect(try await queue.arm().dueIn == nil)
            let claim = try await queue.claimNew("a")
            #expect(try await queue.arm(isArmed: true).dueIn == 30)
            _ = try await queue.finish([.init(claim, "sleep", delay: 20)])
            #expect(try await queue.arm(isArmed: true).dueIn == 20)
            try await queue.setClock("2030-01-01 10:00:25+00")
            #expect(try await queue.arm(isArmed: true).dueIn == -5)
            let waiting = try #require(try await queue.claim(timeout: 0).first)
            _ = try await queue.awaitEvent([(waiting, "s", "e")])
            #expect(try await queue.arm(isArmed: true).dueIn == nil)
        }
    }

    @Test func `a queue without its trigger says so, and is given it once`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            #expect(try await queue.arm().outcome == "untriggered")
            try await queue.makeTrigger()
            #expect(
                try await queue.text("select count(*)::text from absurd_swift.missing_triggers()") == "0")
            #expect(try await queue.arm().outcome == "armed")
        }
    }

    /// The keys stand in triggers as literals: they must never change.
    @Test(.database(.migrated)) func `the keys of a queue's lock are what they always were`() async throws {
        let connection = try await TestDatabase.current.connect()
        let row = try await connection.query("select absurd_swift.wake_class(), absurd_swift.wake_key('q')")[
            0]
        #expect(try row.decode(0, as: Int32.self) == 1_635_148_403)
        #expect(try row.decode(1, as: Int32.self) == -1_909_079_347)
    }
}
