import Absurd
import BenchmarkSupport
import LibPQ

/// Queues full of due runs, as a burst of spawns a day long would have left them.
struct Backlog {
    let database: PrivateDatabase

    /// Fills a new queue with runs whose due times are in random order, by far fewer statements than spawns.
    func fill(_ queue: String, with count: Int) async throws {
        try await database.client.createQueue(queue)
        progress("filling queue '\(queue)' with \(count) due runs")
        let batch = 100_000
        for first in stride(from: 0, to: count, by: batch) {
            try await database.execute(
                """
                with new as materialized (
                  select absurd.portable_uuidv7() as task_id, absurd.portable_uuidv7() as run_id,
                         clock_timestamp() - random() * interval '1 day' as due
                    from generate_series(1, \(min(batch, count - first)))
                ), tasks as (
                  insert into absurd.t_\(queue)
                         (task_id, task_name, params, max_attempts, enqueue_at, state, attempts, last_attempt_run)
                  select task_id, 'measured', '{"n": 1}', 5, due, 'pending', 1, run_id from new
                )
                insert into absurd.r_\(queue) (run_id, task_id, attempt, state, available_at, created_at)
                select run_id, task_id, 1, 'pending', due, due from new
                """)
        }
    }

    /// Returns when autovacuum has looked at the tables since they were filled; nothing is analysed by hand.
    func waitForStatistics(of queues: [String]) async throws {
        progress("waiting for autovacuum")
        let deadline = ContinuousClock.now + .seconds(300)
        for queue in queues {
            for table in ["t_\(queue)", "r_\(queue)"] {
                try await database.wait(
                    for: "statistics of \(table)", until: deadline,
                    """
                    select last_autoanalyze is not null and n_mod_since_analyze = 0 and last_autovacuum is not null
                      from pg_stat_user_tables where schemaname = 'absurd' and relname = $1
                    """, [.text(table)])
            }
        }
        // Writing the filled pages back is not part of a claim.
        try await database.execute("checkpoint")
    }
}
