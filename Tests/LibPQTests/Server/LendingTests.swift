import Synchronization
import TestSupport
import Testing

@testable import LibPQ

/// Connections for callers that prefer threads which are not to be had.
@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct LendingTests {
    /// Runs what it is given first, and the rest once it is let go.
    private final class StuckThread: TaskExecutor {
        private struct State {
            var hasRun = false
            var isFree = false
            var waiting: [UnownedJob] = []
        }
        private let state = Mutex(State())

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            let runs = state.withLock { state in
                defer { state.hasRun = true }
                if state.isFree || !state.hasRun { return true }
                state.waiting.append(job)
                return false
            }
            if runs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }

        func free() {
            let jobs = state.withLock { state in
                defer { state.waiting = [] }
                state.isFree = true
                return state.waiting
            }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }

    @Test func `a caller without a thread makes its connection, and keeps nobody else from one`() async throws
    {
        var configuration = PostgresConfiguration(connectionString: TestDatabase.current.connectionString)
        configuration.maxConnections = 2
        let pool = PostgresPool(configuration: configuration, logger: .quiet)
        let thread = StuckThread()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { thread.free() }
            group.addTask(executorPreference: thread) {
                try await pool.withTransactionOfCaller { _ in }
            }
            try await eventually("it has a connection") { pool.counts.inUse == 1 }
            _ = try await pool.query("select 1")
            thread.free()
            try await group.waitForAll()
        }
        #expect(pool.counts.inUse == 0)
        await pool.close()
    }

    @Test func `transactions wait for each other, and say why they give up`() async throws {
        var configuration = PostgresConfiguration(connectionString: TestDatabase.current.connectionString)
        configuration.maxConnections = 2
        configuration.acquireTimeout = .seconds(5)
        let pool = PostgresPool(configuration: configuration, logger: .quiet)
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransactionOfCaller { _ in
                _ = try await pool.query("select 1")
                try await pool.withTransactionOfCaller { _ in }
            }
        }
        #expect(error?.code == .poolTimedOut)
        #expect(error?.message.contains("one is kept for other calls") == true, "\(error?.message ?? "")")
        await pool.close()
    }
}
