import Absurd
import BenchmarkSupport
import Foundation
import LibPQ

extension Endurance {
    /// What the rows say about the run.
    func verdict(
        _ database: PrivateDatabase, _ killed: [KilledStep], _ duration: Duration
    ) async throws -> Report {
        let queue = Self.queue
        func count(_ sql: String) async throws -> Int { try await database.value(sql) }
        func seconds(_ sql: String) async throws -> Double {
            try await database.value(sql, as: Double?.self) ?? .nan
        }

        let completed = try await count("select count(*) from absurd.t_\(queue) where state = 'completed'")
        let executed = try await count("select count(*) from effects")
        let checkpoints = try await count("select count(*) from absurd.c_\(queue)")
        let twice = try await count(
            "select count(*) from (select from recorded group by task_id, step having count(*) > 1) as twice")
        // A step whose recorded value is not the token of one of its executions was lost or made up.
        let unfounded = try await count(
            """
            select count(*) from absurd.c_\(queue) as c
             where not exists (
               select from effects as e
                where e.task_id = c.task_id and e.step = c.checkpoint_name and to_jsonb(e.token) = c.state)
            """)
        // The handler returned the three values it saw; they are the recorded ones.
        let contradictions = try await count(
            """
            select count(*) from absurd.t_\(queue) as t
             where t.state = 'completed' and t.completed_payload is distinct from (
               select jsonb_agg(c.state order by array_position(array['first', 'second', 'third'], c.checkpoint_name))
                 from absurd.c_\(queue) as c where c.task_id = t.task_id)
            """)
        let afterRecord = try await count(
            """
            select count(*) from effects as e join recorded as r using (task_id, step)
             where e.begun_at > r.at
            """)
        let retaken = try await count("select count(*) from absurd.r_\(queue) where state = 'failed'")
        let otherFailures = try await count(
            """
            select count(*) from absurd.r_\(queue)
             where state = 'failed' and failure_reason ->> 'name' not in ('$WorkerLost', '$ClaimTimeout')
            """)

        var report = Report(
            measurement: "Endurance: \(tasks) tasks of three steps, \(workers) worker processes")
        report.add("duration", duration.seconds, "s")
        report.add("tasks per second", Double(completed) / duration.seconds)
        report.add("processes killed inside a step", killed.count)
        report.add("runs taken over", retaken)
        report.add("step bodies executed", executed)
        report.add("steps recorded", checkpoints)
        report.add("re-executions", executed - checkpoints)
        report.add("longest time from kill to take-over", try await seconds(Self.longestLoss), "s")
        report.add("longest gap, from kill to next start", try await seconds(Self.longestGap), "s")
        report.add("median gap", try await seconds(Self.medianGap), "s")
        report.add("longest time without any completion", try await seconds(Self.longestStandstill), "s")
        report.promise("every task completed", completed == tasks)
        report.promise("\(kills) kills, each inside a step", killed.count == kills)
        report.promise("no step lost", checkpoints == 3 * tasks && contradictions == 0)
        report.promise("no step recorded twice", twice == 0 && unfounded == 0)
        report.promise("no step executed again once recorded", afterRecord == 0)
        report.promise("no attempt failed but by a kill", otherFailures == 0)
        return report
    }

    /// From the kill until each run that the killed process held was failed, and until its task started again.
    private static let gaps = """
        select extract(epoch from r.failed_at - k.at)::float8 as loss,
               extract(epoch from n.started_at - k.at)::float8 as gap
          from killed as k
          join absurd.r_\(queue) as r on r.claimed_by = k.worker and r.state = 'failed'
          join absurd.r_\(queue) as n on n.task_id = r.task_id and n.attempt = r.attempt + 1
        """
    private static let longestLoss = "select max(loss) from (\(gaps)) as gaps"
    private static let longestGap = "select max(gap) from (\(gaps)) as gaps"
    private static let medianGap =
        "select percentile_cont(0.5) within group (order by gap) from (\(gaps)) as gaps"

    private static let longestStandstill = """
        select max(pause) from (
          select extract(epoch from completed_at - lag(completed_at) over (order by completed_at))::float8 as pause
            from absurd.r_\(queue) where state = 'completed') as pauses
        """
}
