import Foundation
import LibPQ
import Synchronization
import Testing

/// One of two ways to do the same to a queue.
///
/// Tasks are known by their names.
protocol Twin: Sendable {
    var queue: ExtensionQueue { get }

    func spawn(_ name: String, _ options: String) async throws
    func claim(timeout: Int64) async throws
    func checkpoint(_ name: String, step: String, _ state: String) async throws
    func complete(_ name: String, _ result: String) async throws
    func fail(_ name: String, _ reason: String) async throws
    func sleep(_ name: String, seconds: Double) async throws
    func awaitEvent(_ name: String, step: String, event: String, timeout: Int64?) async throws
    func cancel(_ name: String) async throws
    func emit(_ event: String, _ payload: String) async throws

    // Several rows: one call, or one after the other.
    func spawn(_ rows: [(name: String, options: String)]) async throws
    func checkpoint(_ rows: [(name: String, step: String, state: String)], renewing: Int64?) async throws
    func awaitEvents(_ rows: [TwinWait]) async throws
    func finish(_ rows: [TwinFinish]) async throws
    func release(_ names: [String]) async throws
    func extend(_ names: [String], by seconds: Int64) async throws
    func emit(_ rows: [(event: String, payload: String)]) async throws

    /// The checkpoints that the runs may see, in any order.
    func checkpoints(of runs: [TwinRun]) async throws -> [[TwinCheckpoint]]
}

/// One row of a call that awaits events; without a timeout for ever.
struct TwinWait: Sendable {
    var name: String
    var step: String
    var event: String
    var timeout: Int64?

    init(_ name: String, step: String, event: String, timeout: Int64? = nil) {
        self.name = name
        self.step = step
        self.event = event
        self.timeout = timeout
    }
}

struct TwinRun: Sendable {
    /// Name of the task and number of the attempt.
    var label: String
    var task: UUID
    var run: UUID
}

struct TwinCheckpoint: Hashable, Sendable {
    var step: String
    var state: String?
}

/// One row of a call that ends or parks executions.
enum TwinFinish: Sendable {
    case complete(String, String)
    /// Without a delay by the retry strategy.
    case fail(String, String, after: Double?)
    /// As a handler's sleep does it with a checkpoint of the step, which has the time at which it ends.
    case sleep(String, seconds: Double, step: String? = nil, until: String? = nil)
}

extension Twin {
    /// Ends a claim as its time would.
    func expire(_ name: String) async throws {
        try await queue.run(
            """
            update absurd."r_\(queue.name)" set claim_expires_at = absurd.current_time()
             where task_id = $1 and state = 'running'
            """, [.uuid(try await task(name))])
    }

    func checkpoint(_ rows: [(name: String, step: String, state: String)]) async throws {
        try await checkpoint(rows, renewing: nil)
    }

    func retry(_ name: String) async throws {
        try await queue.run(
            "select absurd.retry_task($1, $2)", [.text(queue.name), .uuid(try await task(name))])
    }

    func task(_ name: String) async throws -> UUID {
        let rows = try await queue.connection.query(
            "select task_id from absurd.\"t_\(queue.name)\" where task_name = $1", [.text(name)])
        return try rows[0].decode("task_id")
    }

    func states() async throws -> [String: String] {
        let rows = try await queue.connection.query(
            "select task_name, state from absurd.\"t_\(queue.name)\"")
        return Dictionary(
            uniqueKeysWithValues: try rows.map { (try $0.decode("task_name"), try $0.decode("state")) })
    }

    /// What each run of the queue may see.
    func visibleCheckpoints() async throws -> [String: Set<TwinCheckpoint>] {
        let runs = try await queue.connection.query(
            """
            select t.task_name || ' ' || r.attempt as label, r.task_id, r.run_id
              from absurd."r_\(queue.name)" r join absurd."t_\(queue.name)" t using (task_id)
            """
        ).map {
            TwinRun(
                label: try $0.decode("label"), task: try $0.decode("task_id"), run: try $0.decode("run_id"))
        }
        let seen = try await checkpoints(of: runs)
        return Dictionary(uniqueKeysWithValues: zip(runs, seen).map { ($0.label, Set($1)) })
    }

    /// All rows of the queue with names instead of ids, in an order that does not depend on ids.
    ///
    /// The text of a failure by lease expiry is free and left out.
    func rows() async throws -> [String] {
        let tables = ["t", "r", "c", "e", "w"].map { "absurd.\"\($0)_\(queue.name)\"" }
        let keys = "absurd.\"i_\(queue.name)\""
        // Only partitioned queues have their keys in a table of their own.
        let hasKeys = try await queue.text("select to_regclass($1)::text", [.text(keys)]) != nil
        return try await queue.connection.query(
            """
            with t as (select task_id, task_name from \(tables[0])),
            r as (select r.run_id, t.task_name || ' ' || r.attempt as run from \(tables[1]) r join t using (task_id))
            select 't ' || (to_jsonb(x) - 'task_id' - 'last_attempt_run' || jsonb_build_object('last', r.run))::text as row
              from \(tables[0]) x left join r on r.run_id = x.last_attempt_run
            union all
            select 'r ' || (
                     (to_jsonb(x) - 'run_id' - 'task_id') #- '{failure_reason,message}'
                     || jsonb_build_object('run', r.run)
                   )::text
              from \(tables[1]) x join r using (run_id)
            union all
            select 'c ' || (to_jsonb(x) - 'task_id' - 'owner_run_id' || jsonb_build_object('run', r.run))::text
              from \(tables[2]) x left join r on r.run_id = x.owner_run_id
            union all
            select 'e ' || to_jsonb(x)::text from \(tables[3]) x
            union all
            select 'w ' || (to_jsonb(x) - 'task_id' - 'run_id' || jsonb_build_object('run', r.run))::text
              from \(tables[4]) x join r using (run_id)
            \(hasKeys ? keysOf(keys) : "")
            order by 1
            """
        ).map { try $0.decode("row") }
    }

    private func keysOf(_ table: String) -> String {
        """
        union all
        select 'i ' || (to_jsonb(x) - 'task_id' || jsonb_build_object('task', t.task_name))::text
          from \(table) x left join t using (task_id)
        """
    }
}

/// Through the functions of `absurd`, as any SDK does it.
struct ContractTwin: Twin {
    var queue: ExtensionQueue

    func run(_ name: String) async throws -> SQLParameter {
        let rows = try await queue.connection.query(
            "select last_attempt_run from absurd.\"t_\(queue.name)\" where task_name = $1", [.text(name)])
        return .uuid(try rows[0].decode(0))
    }

    func call(_ sql: String, _ parameters: [SQLParameter]) async throws {
        try await queue.run(sql, [.text(queue.name)] + parameters)
    }

    func spawn(_ name: String, _ options: String) async throws {
        try await call("select absurd.spawn_task($1, $2, '{}', $3::jsonb)", [.text(name), .text(options)])
    }

    func claim(timeout: Int64) async throws {
        try await call("select absurd.claim_task($1, 'w', $2, 100)", [.int(timeout)])
    }

    func checkpoint(_ name: String, step: String, _ state: String) async throws {
        try await checkpoint(name, step: step, state, renewing: nil)
    }

    func checkpoint(_ name: String, step: String, _ state: String, renewing seconds: Int64?) async throws {
        try await call(
            "select absurd.set_task_checkpoint_state($1, $2, $3, $4::jsonb, $5, $6)",
            [
                .uuid(try await task(name)), .text(step), .text(state), try await run(name),
                seconds.map { .int($0) } ?? .null,
            ])
    }

    func complete(_ name: String, _ result: String) async throws {
        try await call("select absurd.complete_run($1, $2, $3::jsonb)", [try await run(name), .text(result)])
    }

    func fail(_ name: String, _ reason: String) async throws {
        try await call("select absurd.fail_run($1, $2, $3::jsonb)", [try await run(name), .text(reason)])
    }

    func sleep(_ name: String, seconds: Double) async throws {
        try await call(
            "select absurd.schedule_run($1, $2, absurd.current_time() + make_interval(secs => $3))",
            [try await run(name), .double(seconds)])
    }

    func awaitEvent(_ name: String, step: String, event: String, timeout: Int64?) async throws {
        try await call(
            "select absurd.await_event($1, $2, $3, $4, $5, $6)",
            [
                .uuid(try await task(name)), try await run(name), .text(step), .text(event),
                timeout.map { .int($0) } ?? .null,
            ])
    }

    func cancel(_ name: String) async throws {
        try await call("select absurd.cancel_task($1, $2)", [.uuid(try await task(name))])
    }

    func emit(_ event: String, _ payload: String) async throws {
        try await queue.emit(event, payload)
    }
}

/// Through `absurd_swift`, with what the claim returned.
final class BatchTwin: Twin {
    let queue: ExtensionQueue
    private let claims = Mutex<[String: ExtensionQueue.Claim]>([:])

    /// Whether by the functions that answer only for what went otherwise, where there are such.
    let isTerse: Bool

    init(queue: ExtensionQueue, isTerse: Bool = false) {
        self.queue = queue
        self.isTerse = isTerse
    }

    func claim(of name: String) throws -> ExtensionQueue.Claim {
        try #require(claims.withLock { $0[name] })
    }

    func spawn(_ name: String, _ options: String) async throws {
        try await queue.spawn([name], options: options)
    }

    func claim(timeout: Int64) async throws {
        let new = try await queue.claim(limit: 100, timeout: timeout)
        claims.withLock { claims in
            for claim in new { claims[claim.taskName] = claim }
        }
    }

    func checkpoint(_ name: String, step: String, _ state: String) async throws {
        _ = try await queue.checkpoint([(try claim(of: name), step, state)])
    }

    func complete(_ name: String, _ result: String) async throws {
        _ = try await queue.finish([.init(try claim(of: name), "complete", result)])
    }

    func fail(_ name: String, _ reason: String) async throws {
        _ = try await queue.finish([.init(try claim(of: name), "fail", reason)])
    }

    func sleep(_ name: String, seconds: Double) async throws {
        _ = try await queue.finish([.init(try claim(of: name), "sleep", delay: seconds)])
    }

    func awaitEvent(_ name: String, step: String, event: String, timeout: Int64?) async throws {
        _ = try await queue.awaitEvent(
            [(try claim(of: name), step, event)], timeout: timeout.map { Double($0) })
    }

    func cancel(_ name: String) async throws {
        _ = try await queue.cancel([try await task(name)])
    }

    func emit(_ event: String, _ payload: String) async throws {
        _ = try await queue.emitTogether([(event, payload)])
    }
}
