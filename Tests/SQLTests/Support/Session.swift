import LibPQ
import TestSupport
import Testing

enum StorageMode: String, CaseIterable, Sendable {
    case unpartitioned, partitioned
}

/// A connection and the queue `jobs`: what a test of the schema needs.
///
/// The clock stands at ``start`` until it is moved.
struct Session {
    static let start = "2024-04-01 10:00:00+00"

    let connection: PostgresConnection

    /// A session on a new queue.
    init(_ mode: StorageMode = .unpartitioned) async throws {
        try await self.init()
        try await run("select absurd.create_queue('jobs', $1)", .text(mode.rawValue))
    }

    /// A session with the same clock on whatever queues there are.
    init() async throws {
        try await self.init(on: try await TestDatabase.current.connect())
    }

    init(on connection: PostgresConnection) async throws {
        self.connection = connection
        try await connection.execute(script: "set timezone = 'UTC'")
        try await setClock(Self.start)
    }

    /// Runs a statement and gives its rows in Postgres' text form, for example `(pending,1,)`.
    ///
    /// SQL NULL is nothing between the commas, JSON null is `null`.
    @discardableResult
    func rows(_ query: String, _ parameters: SQLParameter...) async throws -> [String] {
        try await rows(query, parameters)
    }

    func rows(_ query: String, _ parameters: [SQLParameter]) async throws -> [String] {
        try await connection.query("select x::text from (\(query)) as x", parameters).map {
            try $0.decode(0)
        }
    }

    /// The only column of the only row, as text.
    func value(_ query: String, _ parameters: SQLParameter...) async throws -> String? {
        let rows = try await connection.query("select x.v::text from (\(query)) as x (v)", parameters)
        guard let row = rows.first else { return nil }
        return try row.decode(0)
    }

    func run(_ statement: String, _ parameters: SQLParameter...) async throws {
        _ = try await connection.query(statement, parameters)
    }

    /// The error with which the server refuses a statement, nil when it does not.
    func refusal(_ statement: String, _ parameters: SQLParameter...) async throws -> PostgresError? {
        do {
            _ = try await connection.query(statement, parameters)
            return nil
        } catch let error as PostgresError where error.sqlState != nil {
            return error
        }
    }

    func sqlState(_ statement: String, _ parameters: SQLParameter...) async throws -> String? {
        do {
            _ = try await connection.query(statement, parameters)
            return nil
        } catch let error as PostgresError where error.sqlState != nil {
            return error.sqlState
        }
    }
}

extension Session {
    func setClock(_ time: String) async throws {
        try await run("select set_config('absurd.fake_now', $1, false)", .text(time))
    }

    /// Moves the clock to so many seconds after ``start``.
    func setClock(seconds: Int) async throws {
        try await run(
            """
            select set_config(
              'absurd.fake_now', ($1::text::timestamptz + make_interval(secs => $2))::text, false)
            """, .text(Self.start), .int(Int64(seconds)))
    }

    /// Lets the wall clock decide.
    func useWallClock() async throws {
        try await setClock("")
    }

    @discardableResult
    func spawn(_ options: String = "{}", name: String = "job", params: String = "{}") async throws -> Spawned
    {
        let rows = try await connection.query(
            "select task_id::text, run_id::text, created from absurd.spawn_task('jobs', $1, $2, $3)",
            [.text(name), .text(params), .text(options)])
        let row = try #require(rows.first)
        return Spawned(task: try row.decode(0), run: try row.decode(1), isNew: try row.decode(2))
    }

    /// The ids of the runs claimed.
    @discardableResult
    func claim(_ quantity: Int = 1, timeout: Int = 60, worker: String = "w") async throws -> [String] {
        try await connection.query(
            "select run_id::text from absurd.claim_task('jobs', $1, $2, $3)",
            [.text(worker), .int(Int64(timeout)), .int(Int64(quantity))]
        ).map { try $0.decode(0) }
    }

    /// A task whose first run is claimed.
    @discardableResult
    func running(_ options: String = "{}", timeout: Int = 60) async throws -> Spawned {
        let spawned = try await spawn(options)
        try await claim(timeout: timeout)
        return spawned
    }

    func complete(_ run: String, _ result: String = "1") async throws {
        try await self.run("select absurd.complete_run('jobs', $1, $2)", .text(run), .text(result))
    }

    func fail(_ run: String, _ reason: String = "1") async throws {
        try await self.run("select absurd.fail_run('jobs', $1, $2)", .text(run), .text(reason))
    }

    func cancel(_ task: String) async throws {
        try await run("select absurd.cancel_task('jobs', $1)", .text(task))
    }

    /// `(suspended, payload)` as text.
    @discardableResult
    func await(
        _ event: String, in spawned: Spawned, step: String = "wait", timeout: Int? = nil
    ) async throws -> String {
        try await rows(
            "select * from absurd.await_event('jobs', $1, $2, $3, $4, $5)",
            .text(spawned.task), .text(spawned.run), .text(step), .text(event),
            timeout.map { .int(Int64($0)) } ?? .null
        ).joined()
    }

    func emit(_ event: String, _ payload: String? = "1") async throws {
        try await run(
            "select absurd.emit_event('jobs', $1, $2)", .text(event), payload.map { .text($0) } ?? .null)
    }

    /// States of the task and of its runs in the order of attempts: `pending failed pending`.
    func states(_ task: String) async throws -> String? {
        try await value(
            """
            select concat_ws(' ', t.state, string_agg(r.state, ' ' order by r.attempt))
              from absurd.t_jobs t left join absurd.r_jobs r using (task_id)
             where t.task_id = $1
             group by t.task_id, t.state
            """, .text(task))
    }

    func count(_ table: String) async throws -> String? {
        try await value("select count(*) from absurd.\(table)")
    }
}

struct Spawned: Equatable {
    var task: String
    var run: String
    var isNew = true

    static let unknown = Spawned(
        task: "00000000-0000-7000-8000-000000000000", run: "00000000-0000-7000-8000-000000000001")
}
