import Absurd
import BenchmarkSupport
import Foundation
import LibPQ

extension Recovery {
    /// What the rows say about the run.
    func verdict(_ database: PrivateDatabase, _ healthy: Double, _ poisoned: Double) async throws -> Report {
        func count(_ sql: String) async throws -> Int { try await database.value(sql) }
        let queue = Self.queue
        var report = Report(measurement: "Recovery: \(workers) busy worker processes, claims of 120 s")
        for (kind, name) in [("killed", "kill -9"), ("stopped", "SIGSTOP")] {
            let gaps = try await gaps(kind, database)
            report.add("\(name): runs interrupted", gaps.count)
            report.add("\(name): until they executed elsewhere, p50", gaps.percentile(0.5), "s")
            report.add("\(name): p99", gaps.percentile(0.99), "s")
            report.add("\(name): longest", gaps.max() ?? .nan, "s")
            report.promise("\(name): executing elsewhere within 5 s at p99", gaps.percentile(0.99) <= 5)
        }
        let unresumed = try await count(
            """
            select count(*) from absurd.r_\(queue) as r
              join interrupted as i on i.worker = r.claimed_by
             where r.state in ('running', 'pending', 'sleeping')
            """)
        let stale = try await count(
            """
            select count(*) from absurd.r_\(queue) as r
              join interrupted as i on i.worker = r.claimed_by
             where r.state = 'completed' and r.completed_at > i.at + interval '1 second'
            """)
        let otherFailures = try await count(
            """
            select count(*) from absurd.r_\(queue)
             where state = 'failed' and failure_reason ->> 'name' <> '$WorkerLost'
            """)
        let falseDeaths = try await count(
            """
            select count(*) from (
              select distinct r.claimed_by from absurd.r_\(queue) as r
               where r.state = 'failed' and not exists (select from interrupted as i where i.worker = r.claimed_by)
                 and not exists (
                   select from absurd.r_\(queue) as d join absurd.t_\(queue) as t using (task_id)
                    where d.claimed_by = r.claimed_by and t.task_name = 'deadly')) as x
            """)
        let deadlyAttempts = try await count(
            """
            select coalesce(min(attempts), 0)::bigint from absurd.t_\(queue)
             where task_name = 'deadly' and state = 'failed'
            """)
        let incomplete = try await count(
            "select count(*) from absurd.t_\(queue) where task_name = 'work' and state <> 'completed'")
        report.add("tasks per second, nobody killed", healthy)
        report.add("tasks per second, while \(deadly) tasks killed their processes", poisoned)
        report.promise("every other task completed", incomplete == 0 && unresumed == 0)
        report.promise("a stopped worker that continues is refused", stale == 0)
        report.promise("nobody alive was taken for dead", falseDeaths == 0)
        report.promise("no attempt failed for another reason", otherFailures == 0)
        report.promise("tasks that kill their process end failed after three attempts", deadlyAttempts == 3)
        report.promise("the others keep at least two thirds of their throughput", poisoned * 3 >= healthy * 2)
        return report
    }

    /// From the interruption until the next attempt's handler started, for each run that the worker held.
    private func gaps(_ kind: String, _ database: PrivateDatabase) async throws -> [Double] {
        try await database.client.pool.query(
            """
            select extract(epoch from e.at - i.at)::float8 as gap
              from interrupted as i
              join absurd.r_\(Self.queue) as r on r.claimed_by = i.worker and r.state = 'failed'
              join executions as e on e.task_id = r.task_id and e.attempt = r.attempt + 1
             where i.kind = $1
            """, [.text(kind)]
        ).map { try $0.decode("gap") }
    }
}
