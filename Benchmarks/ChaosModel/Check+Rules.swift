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
                     when 'overrunning' then t.state = 'completed' or (t.state = 'failed' and t.attempts = t.max_attempts)
                     when 'doomed' then t.state = 'failed' and t.attempts = t.max_attempts
                     when 'retried' then t.state in ('completed', 'failed') and t.attempts = t.max_attempts
                       and exists (select from history.tasks h
                         where h.task_id = t.task_id and h.old_state = 'failed' and h.new_state = 'pending')
                     else t.state = 'cancelled'
                   end
                """),
        Check(
            promise: "a terminal state never changes",
            violations: """
                select format('task %s was %s and became %s, or its row changed', h.task_id, h.old_state, h.new_state)
                  from history.tasks h
                 where h.old_state in ('completed', 'failed', 'cancelled') and h.is_changed
                   -- Given another attempt by hand, once.
                   and not (h.old_state = 'failed' and h.new_state = 'pending'
                     and exists (select from history.retried r where r.task_id = h.task_id)
                     and not exists (
                       select from history.tasks x
                        where x.task_id = h.task_id and x.seq < h.seq and x.old_state = 'failed'
                          and x.new_state = 'pending'))
                union all
                select format('run %s was %s and became %s, or was claimed', h.run_id, h.old_state, h.new_state)
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
}
