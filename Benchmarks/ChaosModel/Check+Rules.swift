extension Check {
    /// How tasks end.
    static let endings = [
        Check(
            promise: "an accepted task is kept",
            violations: """
                select format('task %s is gone', a.task_id) from history.accepted a
                 where not exists (select from absurd.t_chaos t where t.task_id = a.task_id)
                union all
                select distinct format('task %s was there and is gone', h.task_id) from history.tasks h
                 where not exists (select from absurd.t_chaos t where t.task_id = h.task_id)
                """),
        Check(
            promise: "every accepted task ends",
            violations: """
                select format('%s task %s is %s, run %s', t.task_name, t.task_id, t.state,
                         (select format('%s of attempt %s, held by %s until %s, due %s, waits for %s',
                                   r.state, r.attempt, r.claimed_by, r.claim_expires_at, r.available_at, r.wake_event)
                            from absurd.r_chaos r where r.run_id = t.last_attempt_run))
                  from absurd.t_chaos t where t.state not in ('completed', 'failed', 'cancelled')
                """),
        Check(
            promise: "a task ends as its kind has to",
            violations: """
                select format('%s task %s ended %s after %s attempts', t.task_name, t.task_id, t.state, t.attempts)
                  from absurd.t_chaos t
                 where t.state in ('completed', 'failed', 'cancelled')
                   and not case t.task_name
                     when 'steady' then t.state = 'completed'
                     when 'limited' then t.state = 'completed' or (t.state = 'failed' and t.attempts = t.max_attempts)
                     when 'doomed' then t.state = 'failed' and t.attempts = t.max_attempts
                     else t.state = 'cancelled'
                   end
                """),
        Check(
            promise: "a terminal state never changes",
            violations: """
                select format('task %s was %s and became %s, or its row changed', h.task_id, h.old_state, h.new_state)
                  from history.tasks h
                 where h.old_state in ('completed', 'failed', 'cancelled') and h.is_changed
                union all
                select format('run %s was %s and became %s', h.run_id, h.old_state, h.new_state)
                  from history.runs h where h.old_state in ('completed', 'failed', 'cancelled')
                """),
    ]

    /// Values of steps.
    static let values = [
        Check(
            promise: "a step has one value, the first committed",
            violations: """
                select format('%s of task %s was written %s times', h.name, h.task_id, count(*))
                  from history.checkpoints h group by h.task_id, h.name having count(*) > 1
                union all
                select format('%s of task %s is %s and was first %s', h.name, h.task_id, c.state, h.state)
                  from (select distinct on (task_id, name) * from history.checkpoints order by task_id, name, seq) h
                  left join absurd.c_chaos c on c.task_id = h.task_id and c.checkpoint_name = h.name
                 where c.state is distinct from h.state
                """),
        Check(
            promise: "a recorded value is that of an execution",
            violations: """
                select format('%s of task %s is %s, which no execution made', c.checkpoint_name, c.task_id, c.state)
                  from absurd.c_chaos c
                 where c.checkpoint_name like 'step-%'
                   and not exists (
                     select from history.effects e
                      where e.task_id = c.task_id and e.step = c.checkpoint_name and e.token = c.state #>> '{}')
                """),
        Check(
            promise: "a step that is recorded is not executed under a later claim",
            violations: """
                select format('%s of task %s, recorded at %s, was executed by %s under the claim of %s',
                         e.step, e.task_id, h.at, e.worker, e.claim)
                  from history.effects e
                  join history.checkpoints h on h.task_id = e.task_id and h.name = e.step
                 where e.claim > h.at
                """),
        Check(
            promise: "a handler saw what is recorded",
            violations: """
                select format('task %s saw %s as %s, recorded is %s', t.task_id, v.key, v.value, c.state)
                  from absurd.t_chaos t
                 cross join lateral jsonb_each_text(t.completed_payload -> 'values') v
                  left join absurd.c_chaos c on c.task_id = t.task_id and c.checkpoint_name = v.key
                 where t.state = 'completed' and c.state #>> '{}' is distinct from v.value
                """),
    ]

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
            promise: "a task has one open run at a time",
            violations: """
                select format('run %s of task %s became %s beside %s others', h.run_id, h.task_id, h.new_state, h.open_others)
                  from history.runs h where h.open_others > 0
                """),
    ]
}
