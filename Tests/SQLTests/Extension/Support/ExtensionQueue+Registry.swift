import Foundation
import LibPQ
import Testing

/// The calls of the registry, whose clock is the server's: tests make beats old instead of waiting.
extension ExtensionQueue {
    struct Beat: Equatable {
        var gone: String
        var othersRun: Bool
        var suspects: Bool
        var mayReap: Bool
    }

    struct Verdict: Equatable, Sendable {
        var worker: String
        var runs: Int
        var isOut: Bool

        init(_ worker: String, runs: Int, isOut: Bool) {
            self.worker = worker
            self.runs = runs
            self.isOut = isOut
        }
    }

    func register(_ worker: String, process: String? = nil) async throws {
        try await run(
            "select absurd_swift.register($1, $2, $3, 'host', 17, '1.0', 4)",
            [.text(worker), .text(name), .text(process ?? "process of \(worker)")])
    }

    /// A worker that has been steady for long.
    func registerObserver(_ worker: String = "observer") async throws {
        try await register(worker)
        try await run(
            "update absurd_swift.workers set steady_since = steady_since - interval '1 minute' where worker_id = $1",
            [.text(worker)])
    }

    /// Makes the last signs of life of a worker so much older.
    func silence(_ worker: String, seconds: Double) async throws {
        try await run(
            """
            update absurd_swift.workers
               set beat_at = beat_at - make_interval(secs => $2), claimed_at = claimed_at - make_interval(secs => $2)
             where worker_id = $1
            """, [.text(worker), .double(seconds)])
    }

    func beat(_ workers: [String], running: Int64 = 0, isSteady: Bool = true) async throws -> Beat {
        let row = try await connection.query(
            """
            select array_to_string(gone, ' ') as gone, others_run, suspects, observer is not null as may_reap
              from absurd_swift.beat($1, $2, $2, $3)
            """, [.textArray(workers), .intArray(workers.map { _ in running }), .bool(isSteady)])[0]
        return Beat(
            gone: try row.decode("gone"), othersRun: try row.decode("others_run"),
            suspects: try row.decode("suspects"), mayReap: try row.decode("may_reap"))
    }

    func reap(_ observer: String = "observer", limit: Int64 = 200) async throws -> Verdict? {
        try await verdict(
            "select * from absurd_swift.reap($1, $2)", [.text(observer), .int(limit)])
    }

    func workerLost(_ worker: String) async throws -> Verdict? {
        try await verdict("select * from absurd_swift.worker_lost($1)", [.text(worker)])
    }

    func processLost(_ process: String) async throws -> Verdict? {
        try await verdict("select * from absurd_swift.process_lost($1)", [.text(process)])
    }

    private func verdict(_ sql: String, _ parameters: [SQLParameter]) async throws -> Verdict? {
        try await connection.query(sql, parameters).first.map { row in
            Verdict(
                try row.decode("worker_id"), runs: try row.decode("runs"), isOut: try row.decode("is_out"))
        }
    }

    /// A claim that only a registered worker is granted.
    func claimRegistered(_ worker: String, limit: Int64 = 10, timeout: Int64 = 120) async throws -> [Claim] {
        try await claim(limit: limit, worker: worker, timeout: timeout, isRegistered: true)
    }

    /// The error with which a registered worker's claim is refused; nil when it is granted.
    func claimRefusal(_ worker: String) async throws -> String? {
        do {
            _ = try await claimRegistered(worker)
            return nil
        } catch let error as PostgresError {
            return error.sqlState
        }
    }

    /// Spawns tasks and has a registered worker claim them.
    func give(_ count: Int, to worker: String, options: String? = nil) async throws -> [Claim] {
        try await spawn((1...count).map { "task \($0)" }, options: options)
        return try await claimRegistered(worker, limit: Int64(count))
    }

    /// The ids that are registered, in order.
    func registered() async throws -> String? {
        try await text("select string_agg(worker_id, ' ' order by worker_id) from absurd_swift.workers")
    }

    /// How often there are runs of each state, such as `failed 2, pending 2`.
    func runStates() async throws -> String? {
        try await text(
            """
            select string_agg(x.state || ' ' || x.n, ', ' order by x.state)
              from (select state, count(*) as n from absurd."r_\(name)" group by state) x
            """)
    }
}
