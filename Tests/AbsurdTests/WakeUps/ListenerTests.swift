import Absurd
import LibPQ
import TestSupport
import Testing

/// The connection that listens, when those that lend it their task go away in the middle of something.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct ListenerTests {
    private func listener() -> Listener {
        Listener(
            configuration: PostgresConfiguration(connectionString: TestDatabase.current.connectionString),
            logger: .quiet)
    }

    private func withListener(
        _ body: @Sendable @escaping (Listener, Listener.Session) async throws -> Void
    ) async throws {
        let listener = listener()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run() }
            try await eventually("it connects") { listener.session != nil }
            try await body(listener, try #require(listener.session))
            group.cancelAll()
        }
        await listener.close()
    }

    @Test func `a cancelled caller listens all the same`() async throws {
        try await withListener { listener, session in
            await withTaskGroup(of: Bool.self) { group in
                group.cancelAll()
                group.addTask { (try? await listener.listen(to: "channel", in: session)) != nil }
                for await hasListened in group { #expect(hasListened) }
            }
            let rows = try await session.connection.query("select pg_listening_channels()")
            #expect(try rows.map { try $0.decode(0, as: String.self) } == ["channel"])
            #expect(listener.session?.number == session.number)
        }
    }

    @Test func `a session that is abandoned is closed, and another one takes its place`() async throws {
        try await withListener { listener, session in
            await listener.abandon(session)
            try await eventually("it connects again") {
                listener.session.map { $0.number != session.number } ?? false
            }
            try await TestDatabase.current.wait(
                until: "select not exists (select from pg_stat_activity where pid = $1)",
                [.int(Int64(session.connection.backendPID))])
        }
    }

    @Test func `a caller that gives up while the connection is busy takes nobody's wake-ups away`()
        async throws
    {
        let options = testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
        }
        let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }
        try await withEngine(
            [echo], options: options, configuration: { $0.fallbackInterval = .hours(1) }
        ) { engine in
            let isArmed = """
                select count(*) = 1 from pg_locks
                 where locktype = 'advisory' and classid = absurd_swift.wake_class()::oid and mode = 'ExclusiveLock'
                   and database = (select oid from pg_database where datname = current_database())
                """
            try await TestDatabase.current.wait(until: isArmed)
            let session = try #require(engine.client.wakeUps.listener.session)
            let blocker = try await TestDatabase.current.connect()
            try await blocker.execute(script: "create table held ()")
            try await blocker.execute(script: "begin; lock table held")
            async let holding = session.connection.query("select from held", timeout: .seconds(60))
            try await TestDatabase.current.waitUntilBlocked(session.connection.backendPID)

            let unclaimed = try await engine.client.spawn("nobody's", params: nil)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await unclaimed.result() }
                try? await eventually("it waits") { engine.client.wakeUps.results.openCount == 1 }
                // Most likely it is about to listen by now; nothing but the fault's chance depends on that.
                try? await Task.sleep(for: .milliseconds(100))
                group.cancelAll()
                try? await blocker.execute(script: "commit")
            }
            _ = try await holding

            try await TestDatabase.current.wait(until: isArmed)
            for number in Int64(0)..<3 {
                let task = try await engine.client.spawn("echo", params: .integer(number))
                #expect(try await task.result(timeout: .seconds(60)) == .integer(number))
            }
        }
    }
}
