import Absurd
import LibPQ

/// The queues: what they are made of, and how their tasks fare.
extension Doctor {
    func queueObjects(_ connection: PostgresConnection) async throws -> [Finding] {
        let absent = try await findings(
            "queues", connection,
            """
            select 'failed' as status, format('queue ''%s'' lacks tables', q.queue_name) as text,
              q.queue_name as remedy
            from absurd.queues q
            where exists (
              select from unnest(array['t_', 'r_', 'c_', 'e_', 'w_']) p
              where to_regclass(format('absurd.%I', p || q.queue_name)) is null)
            order by q.queue_name
            """
        ).map { finding in
            Finding.failed(
                finding.check, finding.text,
                remedy: finding.remedy.map { "absurd queue create \(shellWord($0))" })
        }
        guard absent.isEmpty else { return absent }
        // A missing trigger is made by the first idle worker, whose role may do that; those of the script of roles may.
        var found = try await findings(
            "queues", connection,
            """
            select 'warning' as status,
              format('queue ''%s'' lacks its trigger, which the role %I may not make: idle workers have to poll',
                queue_name, current_user) as text,
              'absurd migrate, as the owner of the schemas' as remedy
            from absurd_swift.missing_triggers()
            where not has_table_privilege(format('absurd.%I', 'r_' || queue_name), 'TRIGGER')
              and not exists (
                select from pg_proc p
                where p.pronamespace = 'absurd_swift'::regnamespace and p.proname = 'make_triggers' and p.prosecdef)
            """)
        // Functions that dropped queues have left behind harm nobody.
        for (function, consequence) in [
            ("missing_indexes", "lacks an index: claims read its whole backlog"),
            ("missing_functions", "lacks functions of its own, or has old ones: small batches are slower"),
        ] {
            found += try await findings(
                "queues", connection,
                """
                select distinct 'warning' as status, format('queue ''%s'' %s', queue_name, $1::text) as text,
                  'absurd migrate, as the owner of the schemas' as remedy
                from absurd_swift.\(function)() where queue_name in (select q.queue_name from absurd.queues q)
                """, [.text(consequence)])
        }
        return found
    }

    func queues(_ connection: PostgresConnection) async throws -> [Finding] {
        let names = try await connection.query(
            """
            select q.queue_name, extract(epoch from q.cleanup_ttl)::float8 as ttl,
              (select count(*)::int4 from absurd_swift.workers w
                where w.queue = q.queue_name and not absurd_swift.is_suspect(w, clock_timestamp())) as workers
            from absurd.queues q order by 1
            """)
        guard !names.isEmpty else {
            return [
                .warning("queues", "there is no queue", remedy: "absurd queue create NAME")
            ]
        }
        var found: [Finding] = []
        for row in names {
            let queue: String = try row.decode("queue_name")
            let ended = try await examine(queue, try row.decode("ttl"), connection)
            let workers: Int32 = try row.decode("workers")
            let served = Finding.ok(
                "queues", "queue '\(queue)': nothing is late, \(workers) registered workers")
            found += ended.isEmpty ? [served] : ended
        }
        return found
    }

    private func examine(
        _ queue: String, _ ttl: Double, _ connection: PostgresConnection
    ) async throws -> [Finding] {
        let names = try await connection.query(
            "select format('absurd.%I', 'r_' || $1::text), format('absurd.%I', 't_' || $1::text)",
            [.text(queue)]
        )[0]
        let (runs, tasks): (String, String) = (try names.decode(0), try names.decode(1))
        // Each part reads a few rows from the beginning of an index.
        let rows = try await connection.query(
            """
            select
              (select extract(epoch from absurd.current_time() - r.available_at)::float8 from \(runs) r
                where r.state in ('pending', 'sleeping') and r.available_at <= absurd.current_time()
                order by r.available_at limit 1) as overdue,
              (select extract(epoch from absurd.current_time() - r.claim_expires_at)::float8 from \(runs) r
                where r.state = 'running' and r.claim_expires_at is not null
                order by r.claim_expires_at limit 1) as expired,
              (select extract(epoch from absurd.current_time() - least(
                (select coalesce(r.completed_at, r.failed_at) from \(runs) r where r.state = 'completed'
                  order by r.state, coalesce(r.completed_at, r.failed_at) limit 1),
                -- Of the oldest failed attempts one that was its task's last.
                (select min(f.ended) from (
                  select coalesce(r.completed_at, r.failed_at) as ended, r.task_id, r.run_id from \(runs) r
                   where r.state = 'failed' order by r.state, coalesce(r.completed_at, r.failed_at) limit 100) f
                  join \(tasks) t on t.task_id = f.task_id and t.state = 'failed' and t.last_attempt_run = f.run_id),
                (select t.cancelled_at from \(tasks) t where t.cancelled_at is not null
                  order by t.cancelled_at limit 1)))::float8) as ended
            """)
        guard let row = rows.first else { return [] }
        var found: [Finding] = []
        func warn(_ text: String, _ remedy: String) {
            found.append(.warning("queues", "queue '\(queue)' \(text)", remedy: remedy))
        }
        if let overdue: Double = try row.decode("overdue"), overdue > 60 {
            warn(
                "has work that has been due for \(Self.age(overdue))",
                "start workers for it, or more of them: absurd tasks --queue=\(quotedForShell(queue)) -s pending"
            )
        }
        if let expired: Double = try row.decode("expired"), expired > 60 {
            warn(
                "has a claim that expired \(Self.age(expired)) ago, and nobody has taken it over",
                "start workers for it: absurd tasks --queue=\(quotedForShell(queue)) -s running")
        }
        if let ended: Double = try row.decode("ended"), ended > ttl + 2 * 86_400 {
            warn(
                "keeps tasks that ended \(Self.age(ended)) ago, \(Self.age(ended - ttl)) longer than its policy says",
                "absurd cleanup \(shellWord(queue)), and have cron call it")
        }
        return found
    }

    static func age(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(Int(seconds)) seconds"
        case ..<7200: "\(Int(seconds / 60)) minutes"
        case ..<172_800: "\(Int(seconds / 3600)) hours"
        default: "\(Int(seconds / 86_400)) days"
        }
    }
}
