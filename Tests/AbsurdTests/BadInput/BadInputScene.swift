import Absurd
import LibPQ
import TestSupport
import Testing

/// A database on which calls with bad input are made, and what must hold after each of them.
struct BadInputScene: Sendable {
    let client: AbsurdClient

    static func with(_ body: (BadInputScene) async throws -> Void) async throws {
        let client = try makeClient()
        try await client.createQueue("default")
        _ = try await client.pool.query("create table public.canary (alive integer)")
        let scene = BadInputScene(client: client)
        try await body(scene)
        try await scene.expectHealth()
        await client.close()
        try await eventually("no connection is left behind") {
            try await TestDatabase.current.sessionCount() == 0
        }
    }

    /// Makes the call, which has to work or to be refused with one clear error.
    ///
    /// - Parameter answer: which of the two, where only one is right.
    /// - Returns: Whether it worked.
    @discardableResult
    func attempt(
        _ what: String, is answer: BadInput.Answer? = nil, sourceLocation: SourceLocation = #_sourceLocation,
        _ call: () async throws -> Void
    ) async -> Bool {
        do {
            try await call()
            if case .refused(let code) = answer {
                Issue.record("\(what) worked, and is to be \(code)", sourceLocation: sourceLocation)
            }
            return true
        } catch let error as AbsurdError {
            switch answer {
            case .works: Issue.record("\(what) is to work: \(error)", sourceLocation: sourceLocation)
            case .refused(let code):
                #expect(error.code == code, "\(what): \(error)", sourceLocation: sourceLocation)
            case nil: break
            }
            #expect(
                BadInput.answers.contains(error.code), "\(what): \(error)", sourceLocation: sourceLocation)
            #expect(
                !error.message.isEmpty && error.message.utf8.count < 2_000, "\(what)",
                sourceLocation: sourceLocation)
            #expect(error.sqlState != "42601", "\(what) became SQL", sourceLocation: sourceLocation)
        } catch {
            Issue.record("\(what) threw \(String(reflecting: error))", sourceLocation: sourceLocation)
        }
        return false
    }

    /// The database is as it should be: nothing was executed that came as data, nothing hangs, and work goes on.
    func expectHealth() async throws {
        #expect(try await client.pool.query("select alive from public.canary").isEmpty)
        let odd = try await client.pool.query(
            """
            select count(*) from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'
            """)
        #expect(try odd[0].decode(0, as: Int.self) == 0)
        let stuck = try await client.pool.query(
            """
            select count(*) from absurd.r_default
            where state in ('pending', 'sleeping', 'running')
              and (select t.state from absurd.t_default t where t.task_id = r_default.task_id)
                not in ('pending', 'sleeping', 'running')
            """)
        #expect(try stuck[0].decode(0, as: Int.self) == 0)
        let pool = try WorkerPool(
            client, handlers: [Handler("health check") { _ in .complete("well") }],
            options: testOptions { $0.concurrency = 100 })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            let task = try await client.spawn("health check", params: nil)
            #expect(try await task.result(timeout: .seconds(60)) == "well")
            group.cancelAll()
        }
    }
}
