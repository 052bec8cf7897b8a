import Absurd
import BenchmarkSupport
import Foundation
import LibPQ

/// A queue of empty tasks, and the processes that drain it.
struct Draining {
    let database: PrivateDatabase
    let queue: String

    /// One that is there.
    init(of queue: String, in database: PrivateDatabase) {
        (self.database, self.queue) = (database, queue)
    }

    init(_ database: PrivateDatabase, queue: String) async throws {
        (self.database, self.queue) = (database, queue)
        try await database.client.createQueue(queue)
    }

    func spawn(_ count: Int) async throws {
        let request = try SpawnRequest("empty", params: ["number": 1], on: queue)
        for first in stride(from: 0, to: count, by: 1000) {
            try await database.client.spawnMany(Array(repeating: request, count: min(1000, count - first)))
        }
    }

    /// Tasks a second that so many processes drain, from the moment that all tasks are there to the last completion.
    ///
    /// The processes are idle then, and are woken.
    func rate(of count: Int, processes: Int) async throws -> Double {
        var workers: [WorkerProcess] = []
        for _ in 0..<processes {
            workers.append(try await WorkerProcess.start("empty", queue: queue, database))
        }
        try await database.execute("checkpoint")
        try await burst(count)
        let start: PostgresTimestamp = try await database.value("select clock_timestamp()")
        try await database.wait(
            for: "\(count) tasks", until: .now + .seconds(300),
            // By the indexes, since it is asked often.
            """
            select not exists (select from absurd.r_\(queue) where state in ('pending', 'sleeping'))
               and not exists (
                 select from absurd.r_\(queue) where state = 'running' and claim_expires_at is not null)
            """)
        let end: PostgresTimestamp = try await database.value(
            "select max(completed_at) from absurd.r_\(queue)")
        for worker in workers { try await worker.stop() }
        return Double(count) / (Double(end.microseconds - start.microseconds) / 1e6)
    }

    /// So many tasks in one transaction, due as if they had been spawned 1,000 at a time.
    private func burst(_ count: Int) async throws {
        try await database.execute(
            """
            with new as materialized (
              select absurd.portable_uuidv7() as task_id, absurd.portable_uuidv7() as run_id,
                     now() - (\(count) - n) / 1000 * interval '1 ms' as due
                from generate_series(1, \(count)) n
            ), tasks as (
              insert into absurd.t_\(queue)
                     (task_id, task_name, params, max_attempts, enqueue_at, state, attempts, last_attempt_run)
              select task_id, 'empty', '{"number": 1}', 5, due, 'pending', 1, run_id from new
            )
            insert into absurd.r_\(queue) (run_id, task_id, attempt, state, available_at, created_at)
            select run_id, task_id, 1, 'pending', due, due from new
            """)
    }
}

extension [Double] {
    var median: Double {
        let sorted = sorted()
        guard !sorted.isEmpty else { return .nan }
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
