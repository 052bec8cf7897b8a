import Absurd
import EphemeralPostgres
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Faults that must not make a healthy process look dead, nor keep it from ending; each on a server of its own.
@Suite(.timeLimit(.minutes(10)))
struct SilenceTests {
    @Test func `one forgotten connection costs no runs`() async throws {
        try await withProxiedClient { server, proxy, client in
            let point = HoldPoint()
            let observed = try AbsurdClient(AbsurdConfiguration(server.connectionString), logger: .quiet)
            let admin = try await StalledCommits(server.connectionString).admin
            let handler = Handler("held") { _ in
                await point.arriveAndWait()
                return .complete
            }
            let pool = try WorkerPool(client, handlers: [handler], options: testOptions())
            let observer = try WorkerPool(observed, queue: "other", handlers: [], options: testOptions())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                group.addTask { try await observer.run() }
                defer { point.open() }
                let task = try await client.spawn("held", params: nil)
                await point.untilArrived()
                let id = pool.workers[0].id
                for _ in 1...2 {
                    let port = try await Self.beatPort(proxy, admin)
                    // The window has passed twice since then, and its observer is steady.
                    let end = "select now() + interval '6 seconds' as at"
                    let at: PostgresTimestamp = try await admin.query(end)[0].decode("at")
                    proxy.forget(clientPort: port)
                    try await eventually("it beats on another connection", within: .seconds(60)) {
                        let rows = try await admin.query(
                            "select 1 from absurd_swift.workers where worker_id = $1 and beat_at > $2",
                            [.text(id), .timestamp(at)])
                        return pool.workers[0].id != id || !rows.isEmpty
                    }
                    #expect(pool.workers[0].id == id)
                    #expect(try await Self.beatPort(proxy, admin) != port)
                }
                point.open()
                _ = try await task.result(timeout: .seconds(60))
                let rows = try await admin.query("select max(attempt) from absurd.r_default")
                #expect(try rows[0].decode(0, as: Int.self) == 1)
                group.cancelAll()
            }
            await observed.close()
            await admin.close()
        }
    }

    /// The port of the proxy that the connection with the beats comes from.
    private static func beatPort(_ proxy: TCPProxy, _ admin: PostgresConnection) async throws -> Int {
        var port: Int?
        try await eventually("the beats have a connection", within: .seconds(60)) {
            port = try await admin.query(
                """
                select client_port from pg_stat_activity
                 where query like '%absurd_swift.beat(%' and client_port > 0 and pid <> pg_backend_pid()
                 order by query_start desc
                """
            ).map { try $0.decode(0, as: Int.self) }.first(where: proxy.carries)
            return port != nil
        }
        return try #require(port)
    }

    @Test func `verdicts whose commits hang silence no observer`() async throws {
        try await EphemeralPostgres.withServer { server in
            let client = try AbsurdClient(AbsurdConfiguration(server.connectionString), logger: .quiet)
            try await client.migrate()
            try await client.createQueue("default")
            try await client.createQueue("other")
            let commits = try await StalledCommits(server.connectionString)
            let pool = try WorkerPool(client, handlers: [], options: testOptions())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                try await eventually("it is registered") { try await client.workers().count == 1 }
                let id = pool.workers[0].id
                _ = try await client.spawn("again", params: nil, on: "other")
                _ = try await client.spawn(
                    "final", params: nil, on: "other", options: SpawnOptions(maxAttempts: 1))
                _ = try await commits.admin.query(
                    "select absurd_swift.register('silent', 'other', 'p', 'h', 1, 'v', 1)")
                let claimed = try await commits.admin.query(
                    "select 1 from absurd_swift.claim('other', 'silent', 120, 2, null, true, true)")
                #expect(claimed.count == 2)
                try await commits.admin.execute(script: Self.noteGaps)
                try await commits.stall()

                // The run that has an attempt left goes back all the same.
                try await eventually("one run was given up", within: .seconds(60)) {
                    try await commits.count("absurd.r_other where state = 'pending'") == 1
                }
                // That of the final attempt needs a commit that lasts.
                try await commits.untilHanging("absurd_swift.reap")
                let at: PostgresTimestamp = try await commits.admin.query(
                    "select now() + interval '6 seconds'")[0].decode(0)
                try await eventually("the observer goes on beating", within: .seconds(60)) {
                    let rows = try await commits.admin.query(
                        "select 1 from absurd_swift.workers where worker_id = $1 and beat_at > $2",
                        [.text(id), .timestamp(at)])
                    return !rows.isEmpty
                }
                #expect(try await commits.count("gaps where gap > interval '5 seconds'") == 0)
                try await commits.goOn()
                try await eventually("the other run was given up", within: .seconds(60)) {
                    try await commits.count("absurd.t_other where state = 'failed'") == 1
                }
                #expect(pool.workers[0].id == id)
                group.cancelAll()
            }
            await client.close()
            await commits.admin.close()
        }
    }

    private static let noteGaps = """
        create table gaps (worker text, gap interval);
        create function note_gap() returns trigger language plpgsql as $$
        begin
          insert into gaps values (new.worker_id, new.beat_at - old.beat_at);
          return null;
        end $$;
        create trigger note_gap after update of beat_at on absurd_swift.workers
          for each row when (new.worker_id <> 'silent' and new.running + old.running >= 0)
          execute function note_gap();
        """

    @Test func `the end of a silence breaks off no commit of the user's`() async throws {
        try await EphemeralPostgres.withServer { server in
            let client = try AbsurdClient(AbsurdConfiguration(server.connectionString), logger: .quiet)
            let commits = try await StalledCommits(server.connectionString)
            try await commits.admin.execute(script: "create table mine (n integer)")
            try await commits.stall()
            async let result: Void = client.pool.withTransaction {
                _ = try await $0.query("insert into mine values (1)")
            }
            try await commits.untilHanging("commit")
            await client.pool.abandon(sentBefore: .now)
            try await commits.goOn()
            try await result
            #expect(try await commits.count("mine") == 1)
            await client.close()
            await commits.admin.close()
        }
    }

    /// What a pool is at when its database falls silent and it has to end.
    @Test func `handlers keep their time to end although a claim was broken off`() async throws {
        try await withProxiedClient { server, proxy, client in
            let point = HoldPoint()
            let hasEnded = Atomic<Bool>(false)
            let handler = Handler("deaf") { _ in
                await point.arriveAndWait()
                hasEnded.store(true, ordering: .relaxed)
                return .complete
            }
            let options = testOptions {
                $0.pollInterval = .milliseconds(1)
                $0.cancellationGrace = .minutes(5)
            }
            let pool = try WorkerPool(client, handlers: [handler], options: options)
            _ = try await client.spawn("deaf", params: nil)
            func phase() -> WorkerHealth.Phase { pool.health.workers[0].phase }
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { point.open() }
                group.addTask { try await pool.run() }
                await point.untilArrived()
                try await eventually("it is idle") { phase() == .idle }
                proxy.become(.silent)
                try await eventually("it claims", within: .seconds(60)) { phase() == .claiming }
                group.cancelAll()
                try await eventually("the claim was broken off", within: .seconds(60)) {
                    phase() == .draining
                }
                point.open()
                try? await group.waitForAll()
            }
            let ended = hasEnded.load(ordering: .relaxed)
            #expect(ended)
        }
    }

    enum Moment: CaseIterable { case idle, writing, starting, claiming }

    @Test(arguments: Moment.allCases)
    func `a pool ends in time while its database is silent`(_ moment: Moment) async throws {
        try await withProxiedClient { server, proxy, client in
            let point = HoldPoint()
            let handler = Handler("writes") { context in
                await point.arriveAndWait()
                try await context.step("silent") { 1 }
                return .complete
            }
            let pool = try WorkerPool(
                client, handlers: [handler],
                options: testOptions { if moment == .claiming { $0.pollInterval = .milliseconds(1) } })
            if moment == .writing { _ = try await client.spawn("writes", params: nil) }
            if moment == .starting { proxy.become(.silent) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                switch moment {
                case .writing: await point.untilArrived()
                case .starting:
                    try await eventually("it starts") {
                        pool.health.workers.allSatisfy { $0.phase == .starting }
                    }
                case .idle, .claiming:
                    try await eventually("it is idle") {
                        pool.health.workers.allSatisfy { $0.phase == .idle }
                    }
                }
                proxy.become(.silent)
                point.open()
                if moment == .claiming {
                    // Told of work by nobody, it asks before long.
                    try await eventually("it claims", within: .seconds(60)) {
                        pool.health.workers.allSatisfy { $0.phase == .claiming }
                    }
                }
                let start = ContinuousClock.now
                group.cancelAll()
                try? await group.waitForAll()
                // Statements would have their answer, or none, after half a minute.
                #expect(.now - start < .seconds(20))
            }
        }
    }

    /// A client behind a line that can fail, on a server with the queues `default` and `other`.
    private func withProxiedClient(
        _ body: (EphemeralPostgres, TCPProxy, AbsurdClient) async throws -> Void
    ) async throws {
        try await EphemeralPostgres.withServer(EphemeralPostgres.replicated) { server in
            var settingUp = AbsurdConfiguration(server.connectionString)
            // While all tests begin, a machine with two cores may take its time.
            settingUp.connectTimeout = .seconds(60)
            try await withAbsurd(settingUp, logger: .quiet) { client in
                try await client.migrate()
                try await client.createQueue("default")
                try await client.createQueue("other")
            }
            let proxy = try TCPProxy(to: server.port)
            defer { proxy.close() }
            let client = try AbsurdClient(
                AbsurdConfiguration("postgresql://postgres@127.0.0.1:\(proxy.port)/postgres"), logger: .quiet)
            try await body(server, proxy, client)
            proxy.become(.cut)
            await client.close()
        }
    }
}
