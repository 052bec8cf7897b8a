import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// Two processes that serve one queue, of which the one that looks for work is killed.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct TakeOverTests {
    private static let fallback = Duration.seconds(2)

    private static var options: WorkerOptions {
        // So that polling cannot be what finds the work.
        testOptions {
            $0.pollInterval = .hours(1)
            $0.maxBackoff = .hours(1)
        }
    }

    private static let echo = Handler("echo") { .complete(try $0.params(as: JSONValue.self)) }

    private static let armed = """
        select pid from pg_locks
         where locktype = 'advisory' and classid = absurd_swift.wake_class()::oid and mode = 'ExclusiveLock'
           and database = (select oid from pg_database where datname = current_database())
        """

    @Test func `when the process that is armed is killed, the other one starts what is spawned then`()
        async throws
    {
        let admin = try await TestDatabase.current.connect()
        try await admin.execute(script: "create table deaths ()")
        let client = try makeClient { $0.fallbackInterval = Self.fallback }
        try await client.createQueue("default")
        let pool = try WorkerPool(client, handlers: [Self.echo], options: Self.options)
        let death = HoldPoint()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.runDoomedProcess(TestDatabase.current.connectionString)
                death.arrive()
            }
            try await eventually("the first process is armed", within: .seconds(60)) {
                try await admin.query(Self.armed).count == 1
            }
            let first = try await admin.query(Self.armed)[0].decode("pid", as: Int32.self)
            group.addTask { try await pool.run() }
            try await eventually("the second process stands by") {
                let rows = try await admin.query(
                    """
                    select from pg_stat_activity where datname = current_database() and state = 'idle'
                       and query like '%absurd_swift.arm%' and pid not in ($1, pg_backend_pid())
                    """, [.int(Int64(first))])
                return rows.count == 1
            }
            #expect(try await admin.query(Self.armed).map { try $0.decode("pid", as: Int32.self) } == [first])
            try await admin.query("insert into deaths default values")
            await death.untilArrived()

            let task = try await client.spawn("echo", params: 1)
            #expect(try await task.result(timeout: .seconds(60)) == 1)
            try await eventually("the second process is armed") {
                try await admin.query(Self.armed).count == 1
            }
            #expect(try await client.spawn("echo", params: 2).result(timeout: .seconds(60)) == 2)
            group.cancelAll()
        }
        await client.close()
    }

    /// A process with a worker that is killed as soon as there is a row in `deaths`.
    private func runDoomedProcess(_ url: String) async {
        await #expect(processExitsWith: .signal(SIGKILL)) { [url] in
            var configuration = AbsurdConfiguration(url)
            configuration.fallbackInterval = .hours(1)
            let client = try AbsurdClient(configuration, logger: .quiet)
            let pool = try WorkerPool(client, handlers: [TakeOverTests.echo], options: TakeOverTests.options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                while try await client.pool.query("select from deaths").isEmpty {
                    try await Task.sleep(for: .milliseconds(20))
                }
                kill(getpid(), SIGKILL)
            }
        }
    }
}
