// Writers that do not hold what they write to. The functions of `absurd` know no fence, so a worker that lost its claim
// is one that calls them.
extension ChaosOffence {
    static let fences: [ChaosOffence] = [
        ChaosOffence(
            "a writer that lost its claim records nothing", says: "under the claim of",
            """
            insert into history.effects select 'late', task_id, 'step-1', run_id, worker, claim from history.effects;
            insert into absurd.c_chaos (task_id, checkpoint_name, state, owner_run_id)
              select task_id, step, '"late"', run_id from history.effects where token = 'late'
            """),
        // Under the same worker's claim that ended with a sleep.
        ChaosOffence(
            "a writer that lost its claim records nothing", says: "under the claim of",
            """
            \(held);
            insert into history.effects
              select 'late', task_id, 'step-1', run_id, 'w', token - interval '1 second' from held where label = 'x';
            select pg_temp.step('x', 'step-1', '"late"')
            """),
        unfenced("child-9"), unfenced("result-9"), unfenced("step-9"),
        stale("child-9", "'w', held.token - interval '1 second'"), stale("result-9", "'other', held.token"),
        // Parked by another than the holder.
        ChaosOffence(
            "a writer that lost its claim records nothing", says: "sleep-9",
            """
            \(held);
            select history.state_claims('other', array[run_id], array[token]) from held where label = 'x';
            update absurd.r_chaos r set state = 'sleeping', claimed_by = null from held
             where r.run_id = held.run_id and label = 'x';
            insert into absurd.c_chaos (task_id, checkpoint_name, state, owner_run_id)
              select task_id, 'sleep-9', '1', run_id from held where label = 'x'
            """),
        // To a run that had not parked just now.
        ChaosOffence(
            "a writer that lost its claim records nothing", says: "sleep-9",
            """
            select history.state_claims('w', array[run_id], array[token]) from held where label = 'steady';
            insert into absurd.c_chaos (task_id, checkpoint_name, state, owner_run_id)
              select task_id, 'sleep-9', '1', run_id from held where label = 'steady'
            """),
        // From outside, and nobody waits.
        ChaosOffence(
            "a writer that lost its claim records nothing", says: "event-nine",
            """
            insert into absurd.c_chaos (task_id, checkpoint_name, state, owner_run_id)
            values (pg_temp.of('task-0'), 'event-nine', '1', pg_temp.run_of('task-0'))
            """),
        // From outside, and no event.
        ChaosOffence(
            "a writer that lost its claim records nothing", says: "step-9",
            """
            \(held);
            update absurd.r_chaos r set state = 'pending' from held where r.run_id = held.run_id and label = 'x';
            insert into absurd.c_chaos (task_id, checkpoint_name, state, owner_run_id)
              select task_id, 'step-9', '1', run_id from held where label = 'x'
            """),
        ChaosOffence(
            "a task is completed by the holder of its run", says: "its run was held by other",
            "update absurd.r_chaos set claimed_by = 'other' where task_id = pg_temp.of('task-0')"),
        ChaosOffence(
            "a task is completed by the holder of its run", says: "its run was held by w",
            """
            \(held);
            select absurd.complete_run('chaos', run_id, '{"worker": "other", "claim": "2020-01-01"}') from held
             where label = 'x'
            """),
        failed("other", "held.token"), failed("w", "held.token - interval '1 second'"),
        ChaosOffence(
            "a task has one open run at a time", says: "became pending beside 1 others",
            """
            insert into absurd.r_chaos (run_id, task_id, attempt, state, available_at)
              select gen_random_uuid(), pg_temp.of('task-0'), n, 'pending', now() from generate_series(2, 3) n
            """),
    ]

    static let claims: [ChaosOffence] = [
        ended(
            "became sleeping",
            "select absurd.schedule_run('chaos', run_id, now() + interval '1 hour') from held"),
        ended("became completed", "select absurd.complete_run('chaos', run_id, '1') from held"),
        ended(
            "became failed", "select absurd.fail_run('chaos', run_id, '{\"name\": \"Planned\"}') from held"),
        ended(
            "became sleeping",
            "select absurd.await_event('chaos', task_id, run_id, 'event-nine', 'nine', null) from held"),
        // Given back under a claim that ended before, and by another worker.
        released("'w', held.token - interval '1 second'"), released("'other', held.token"),
        // Claimed by another while it was held.
        ended(
            "became running",
            "update absurd.r_chaos r set claimed_by = 'other', claim_expires_at = now() from held",
            isUpdate: true),
        // Taken for dead was another.
        ended(
            "became failed",
            """
            select absurd.fail_run('chaos', run_id, '{"name": "$WorkerLost", "workerId": "other"}') from held
            """),
        ChaosOffence(
            "a claim lasts until it runs out, and longer when it is renewed", says: "was taken from w",
            """
            \(held);
            select absurd.fail_run('chaos', run_id, '{"name": "$ClaimTimeout", "workerId": "w"}') from held
             where label = 'x'
            """),
        renewed("'w', held.token", "- interval '1 second'"),
        renewed("'other', held.token", "+ interval '1 second'"),
        renewed("'w', held.token - interval '1 second'", "+ interval '1 second'"),
        ChaosOffence(
            "an attempt that has to fail does not complete", says: "attempt 2 of limited task",
            "update absurd.t_chaos set params = '[{\"fail\": {\"attempts\": 2}}]' where task_id = pg_temp.of('limited')"
        ),
        ChaosOffence(
            "an attempt that has to fail does not complete", says: "attempt 2 of overrunning task",
            """
            update absurd.t_chaos set params = '[{"step": {"milliseconds": 1}}, {"overrun": {"attempts": 2}}]'
             where task_id = pg_temp.of('overrunning')
            """),
    ]

    /// Another task, which is claimed as `x`.
    private static let held = """
        select pg_temp.spawn('steady', 'task-9', '{"max_attempts": null, "params": "[]"}'); select pg_temp.claim('x')
        """

    /// A checkpoint of a run that somebody holds, by somebody who states no claim.
    private static func unfenced(_ step: String) -> ChaosOffence {
        ChaosOffence(
            "a writer that lost its claim records nothing", says: step,
            """
            \(held);
            select absurd.set_task_checkpoint_state('chaos', task_id, '\(step)', '1', run_id) from held
             where label = 'x'
            """)
    }

    /// The same, by somebody who states a claim that is not the run's.
    private static func stale(_ step: String, _ claim: String) -> ChaosOffence {
        ChaosOffence(
            "a writer that lost its claim records nothing", says: step,
            """
            \(held);
            \(stating(claim));
            select absurd.set_task_checkpoint_state('chaos', task_id, '\(step)', '1', run_id) from held
             where label = 'x'
            """)
    }

    private static func stating(_ claim: String) -> String {
        let parts = claim.split(separator: ",", maxSplits: 1)
        return
            "select history.state_claims(\(parts[0]), array[run_id], array[\(parts[1])]) from held where label = 'x'"
    }

    private static func failed(_ worker: String, _ claim: String) -> ChaosOffence {
        ChaosOffence(
            "an attempt is failed by the holder of its run", says: "was failed by \(worker)",
            """
            \(held);
            select absurd.fail_run('chaos', run_id,
              jsonb_build_object('name', 'Planned', 'worker', '\(worker)', 'claim', \(claim))) from held
             where label = 'x'
            """)
    }

    private static func ended(_ says: String, _ sql: String, isUpdate: Bool = false) -> ChaosOffence {
        ChaosOffence(
            "a claim is ended by its holder, or taken from one that is lost", says: says,
            "\(held); \(sql) where label = 'x'\(isUpdate ? " and r.run_id = held.run_id" : "")")
    }

    private static func released(_ claim: String) -> ChaosOffence {
        ChaosOffence(
            "a claim is ended by its holder, or taken from one that is lost", says: "became pending",
            """
            \(held);
            \(stating(claim));
            update absurd.r_chaos r set state = 'pending', claimed_by = null from held
             where r.run_id = held.run_id and label = 'x'
            """)
    }

    private static func renewed(_ claim: String, _ change: String) -> ChaosOffence {
        ChaosOffence(
            "a claim lasts until it runs out, and longer when it is renewed", says: "was set to",
            """
            \(held);
            \(stating(claim));
            update absurd.r_chaos r set claim_expires_at = claim_expires_at \(change) from held
             where r.run_id = held.run_id and label = 'x'
            """)
    }
}
