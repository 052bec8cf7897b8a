extension Check {
    /// Who may write.
    static let fences = [
        Check(
            promise: "a writer that lost its claim records nothing",
            violations: """
                select format('%s of task %s was recorded by %s under the claim of %s; the run was %s, held by %s since %s',
                         h.name, h.task_id, e.worker, e.claim, h.run_state, h.holder, h.claim)
                  from history.checkpoints h
                  join history.effects e on e.task_id = h.task_id and e.step = h.name and e.token = h.state #>> '{}'
                 where (h.run_state, h.holder, h.claim) is distinct from ('running', e.worker, e.claim)
                union all
                -- Whatever is recorded is so by a claim that holds the run, or that parks it with the same statement;
                -- only an event may come from outside, to a run that waits for it, which it may claim with that.
                select format('%s of task %s was recorded by %s for the claims of %s; the run was %s, held by %s since %s',
                         h.name, h.task_id, h.writer, h.tokens, h.run_state, h.holder, h.claim)
                  from history.checkpoints h
                 where not coalesce(case
                     when h.writer is null then h.name ~ '^(event|brief)-' and (
                       h.run_state = 'pending'
                       or exists (
                         select from history.runs r
                          where r.xid = h.xid and r.run_id = h.run_id and r.old_state = 'sleeping'
                            and r.new_state = 'running'))
                     when h.run_state = 'running' then h.holder = h.writer and h.claim = any (h.tokens)
                     else exists (
                       select from history.runs r
                        where r.xid = h.xid and r.run_id = h.run_id and r.old_state = 'running'
                          and r.new_state = 'sleeping' and r.old_holder = h.writer and r.old_claim = any (h.tokens))
                   end, false)
                """),
        Check(
            promise: "a task is completed by the holder of its run",
            violations: """
                select format('task %s was completed by %s under the claim of %s; its run was held by %s since %s',
                         t.task_id, t.completed_payload ->> 'worker', t.completed_payload ->> 'claim',
                         r.claimed_by, r.started_at)
                  from absurd.t_chaos t
                  join absurd.r_chaos r on r.run_id = t.last_attempt_run
                 where t.state = 'completed'
                   and (r.claimed_by, r.started_at) is distinct from
                     (t.completed_payload ->> 'worker', (t.completed_payload ->> 'claim')::timestamptz)
                """),
        Check(
            promise: "an attempt is failed by the holder of its run",
            violations: """
                select format('run %s was failed by %s under the claim of %s; it was held by %s since %s',
                         h.run_id, h.reason ->> 'worker', h.reason ->> 'claim', h.old_holder, h.old_claim)
                  from history.runs h
                 where h.new_state = 'failed' and h.reason ->> 'name' = 'Planned'
                   and (h.old_state, h.old_holder, h.old_claim) is distinct from
                     ('running', h.reason ->> 'worker', (h.reason ->> 'claim')::timestamptz)
                """),
        Check(
            promise: "a task has one open run at a time",
            violations: """
                select format('run %s of task %s became %s beside %s others', h.run_id, h.task_id, h.new_state, h.open_others)
                  from history.runs h where h.open_others > 0
                """),
    ]

    /// How claims begin, go on and end.
    static let claims = [
        Check(
            promise: "a claim is ended by its holder, or taken from one that is lost",
            violations: """
                select format('run %s, held by %s since %s, became %s by %s for the claims of %s, with %s',
                         h.run_id, h.old_holder, h.old_claim, h.new_state, h.writer, h.tokens, h.reason)
                  from history.runs h
                 where h.old_state = 'running'
                   and not coalesce(case
                     when h.new_state = 'cancelled' then true
                     when h.new_state = 'running' then false
                     when h.new_state = 'failed' and h.reason ->> 'name' in ('$WorkerLost', '$ClaimTimeout')
                       then h.reason ->> 'workerId' = h.old_holder
                     else h.writer = h.old_holder and (h.old_claim = any (h.tokens) or h.tokens = '{infinity}')
                   end, false)
                """),
        Check(
            promise: "a claim lasts until it runs out, and longer when it is renewed",
            violations: """
                select format('run %s was taken from %s at %s, which held it until %s',
                         h.run_id, h.old_holder, h.at, h.old_expiry)
                  from history.runs h
                 where h.old_state = 'running' and h.new_state = 'failed' and h.reason ->> 'name' = '$ClaimTimeout'
                   and (h.old_expiry <= h.at) is not true
                union all
                select format('the claim of run %s, held by %s since %s until %s, was set to %s by %s for the claims of %s',
                         n.run_id, n.holder, n.claim, n.old_expiry, n.new_expiry, n.writer, n.tokens)
                  from history.renewals n
                 where not coalesce(
                   n.new_expiry > n.old_expiry and n.holder = n.writer and n.claim = any (n.tokens), false)
                """),
        Check(
            promise: "an attempt that has to fail does not complete",
            violations: """
                select format('attempt %s of %s task %s completed', r.attempt, t.task_name, t.task_id)
                  from absurd.r_chaos r
                  join absurd.t_chaos t on t.task_id = r.task_id
                 cross join lateral jsonb_path_query(t.params, '$[*].*.attempts') a
                 where r.state = 'completed' and r.attempt <= (a #>> '{}')::numeric
                """),
    ]
}
