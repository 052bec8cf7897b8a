import Synchronization
import TestSupport
import Testing

@testable import LibPQ

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct PoolTests {
    private func withPool<Result>(
        _ configure: (inout PostgresConfiguration) -> Void = { _ in },
        _ body: (PostgresPool) async throws -> Result
    ) async throws -> Result {
        var configuration = PostgresConfiguration(connectionString: TestDatabase.current.connectionString)
        configure(&configuration)
        let pool = PostgresPool(configuration: configuration, logger: .quiet)
        let result: Result
        do {
            result = try await body(pool)
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
        return result
    }

    @Test func `a connection is used again and again`() async throws {
        try await withPool { pool in
            var processes: Set<Int> = []
            for _ in 0..<10 {
                let row = try await pool.query("select pg_backend_pid()").first
                processes.insert(try #require(try row?.decode(0, as: Int.self)))
            }
            #expect(processes.count == 1)
            #expect(pool.counts == (open: 1, idle: 1, inUse: 0, waiting: 0))
        }
    }

    @Test func `many callers share few connections`() async throws {
        try await withPool {
            $0.maxConnections = 3
        } _: { pool in
            let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await pool.query("select $1::int", [.int(Int64(number))]).first?.decode(0) ?? -1
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(numbers == Set(0..<200))
            #expect(pool.counts.open <= 3)
            #expect(try await TestDatabase.current.sessionCount() <= 3)
        }
    }

    @Test func `waiters are served in the order they came`() async throws {
        try await withPool {
            $0.maxConnections = 1
        } _: { pool in
            let served = Order()
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await pool.withConnection { _ in
                    for number in 0..<10 {
                        group.addTask {
                            try await pool.withConnection { _ in served.add(number) }
                        }
                        try await eventually { pool.counts.waiting == number + 1 }
                    }
                }
                try await group.waitForAll()
            }
            #expect(served.numbers == Array(0..<10))
        }
    }

    @Test func `a caller gets no connection within its time and is told why`() async throws {
        try await withPool {
            $0.maxConnections = 1
            // Also the time for the first connection, on a machine that has much else to do.
            $0.acquireTimeout = .seconds(10)
        } _: { pool in
            try await pool.withConnection { _ in
                let error = await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
                #expect(error?.code == .poolTimedOut)
                #expect(error?.underlying == nil)
            }
            #expect(try await pool.query("select 1").count == 1)
        }
    }

    @Test func `a cancelled waiter leaves and takes no connection with it`() async throws {
        try await withPool {
            $0.maxConnections = 1
        } _: { pool in
            try await pool.withConnection { _ in
                let error = try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                    group.addTask {
                        await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
                    }
                    try await eventually { pool.counts.waiting == 1 }
                    group.cancelAll()
                    return try await group.next() ?? nil
                }
                #expect(error?.code == .cancelled)
                #expect(pool.counts.waiting == 0)
            }
            #expect(pool.counts == (open: 1, idle: 1, inUse: 0, waiting: 0))
        }
    }

    @Test func `waiters that are cancelled at any moment lose no connection`() async throws {
        try await withPool {
            $0.maxConnections = 2
        } _: { pool in
            for _ in 0..<20 {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<10 { group.addTask { _ = try? await pool.query("select pg_sleep(0.001)") } }
                    _ = await group.next()
                    group.cancelAll()
                }
                #expect(pool.counts.inUse == 0)
                #expect(pool.counts.waiting == 0)
            }
            let count = try await pool.withConnection { _ in try await pool.query("select 1").count }
            #expect(count == 1)
        }
    }

    @Test func `a connection in doubt is replaced`() async throws {
        try await withPool {
            $0.maxConnections = 1
        } _: { pool in
            try await pool.withConnection { try await $0.execute(script: "begin") }
            #expect(pool.counts.open == 0)
            try await pool.withConnection { try await $0.listen(to: "c") }
            #expect(pool.counts.open == 0)
            await #expect(throws: PostgresError.self) {
                try await pool.query("select pg_terminate_backend(pg_backend_pid())")
            }
            #expect(pool.counts.open == 0)
            #expect(try await pool.query("select 1").count == 1)
        }
    }

    @Test func `a connection that dies while idle is replaced before anybody notices`() async throws {
        try await withPool { pool in
            let row = try #require(try await pool.query("select pg_backend_pid() as pid").first)
            let process: Int = try row.decode("pid")
            let database = TestDatabase.current
            try await database.wait(until: "select pg_terminate_backend($1::int)", [.int(Int64(process))])
            try await database.wait(
                until: "select not exists (select from pg_stat_activity where pid = $1::int)",
                [.int(Int64(process))])
            #expect(try await pool.query("select 1").count == 1)
            await pool.sweep(now: .now + .seconds(3600))
            #expect(pool.counts.open == 0)
        }
    }

    @Test func `a transaction of the pool commits and rolls back`() async throws {
        struct Failure: Error {}
        try await withPool { pool in
            try await pool.withTransaction { _ = try await $0.query("create table t (a int)") }
            await #expect(throws: Failure.self) {
                try await pool.withTransaction { transaction in
                    try await transaction.query("insert into t values (1)")
                    throw Failure()
                }
            }
            #expect(try await pool.query("select * from t").isEmpty)
        }
    }

    @Test func `a closed pool refuses everybody, and lent connections are closed when they come back`()
        async throws
    {
        try await withPool {
            $0.maxConnections = 1
        } _: { pool in
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                try await pool.withConnection { connection in
                    group.addTask {
                        await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
                    }
                    try await eventually { pool.counts.waiting == 1 }
                    await pool.close()
                    #expect(try await connection.query("select 1").count == 1)
                }
                #expect(try await group.next()??.code == .poolClosed)
            }
            let error = await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
            #expect(error?.code == .poolClosed)
            #expect(pool.counts.open == 0)
        }
    }

    @Test func `running as a service the pool closes when it is cancelled`() async throws {
        try await withPool { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                #expect(try await pool.query("select 1").count == 1)
                group.cancelAll()
                try await group.waitForAll()
            }
            #expect(pool.counts.open == 0)
            await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
        }
    }
}

/// Who was served when.
private final class Order: Sendable {
    private let list = Mutex<[Int]>([])

    var numbers: [Int] { list.withLock { $0 } }
    func add(_ number: Int) { list.withLock { $0.append(number) } }
}
