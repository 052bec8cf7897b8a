extension Check {
    /// Events and those who wait for them.
    ///
    /// The checkpoint of a wait is called `event-` and the event; that of one with a deadline `brief-`, a number and
    /// the event.
    static let events = [
        Check(
            promise: "an accepted event is kept, and its first emission counts",
            violations: """
                select distinct format('event %s is gone', m.name) from history.emitted m
                 where not exists (
                   select from absurd.e_chaos e where e.event_name = m.name and e.payload is not null)
                union all
                select format('event %s was emitted %s times', h.name, count(*))
                  from history.events h group by h.name having count(*) > 1
                union all
                select format('event %s has the payload %s and was emitted with %s', h.name, e.payload, h.payload)
                  from history.events h left join absurd.e_chaos e on e.event_name = h.name
                 where e.payload is distinct from h.payload
                """),
        Check(
            promise: "an emitted event reaches every waiter",
            violations: """
                select format('task %s still waits for event %s', w.task_id, w.event_name)
                  from absurd.w_chaos w join absurd.e_chaos e on e.event_name = w.event_name
                 where e.payload is not null
                union all
                select format('task %s received %s as event %s, which was emitted with %s',
                         c.task_id, c.state, e.event_name, e.payload)
                  from absurd.c_chaos c
                  join absurd.e_chaos e
                    on c.checkpoint_name = 'event-' || e.event_name or c.checkpoint_name like 'brief-%-' || e.event_name
                 where c.state is distinct from e.payload
                """),
    ]

    /// Waits with a deadline.
    static let timeouts = [
        Check(
            promise: "a wait is given up after its deadline and without the event",
            violations: """
                select format('the wait of run %s for event %s was given up under the claim of %s, before a deadline',
                         o.run_id, o.event, o.claim)
                  from history.timeouts o
                 where not exists (
                   select from history.waits w
                    where w.run_id = o.run_id and w.event = o.event and w.timeout_at <= o.claim)
                union all
                select format('the wait of run %s for event %s was given up under the claim of %s; it was there at %s',
                         o.run_id, o.event, o.claim, m.at)
                  from history.timeouts o
                  join (select name, min(at) as at from history.emitted group by name) m on m.name = o.event
                 -- Told again in the same attempt is what was recorded the first time.
                 where m.at < o.claim
                   and not exists (
                     select from history.timeouts f
                      where f.run_id = o.run_id and f.event = o.event and f.claim < o.claim)
                union all
                select format('run %s has both a payload and a passed deadline for its wait %s',
                         c.owner_run_id, c.checkpoint_name)
                  from absurd.c_chaos c
                  join absurd.r_chaos r on r.run_id = c.owner_run_id
                  join absurd.c_chaos p
                    on p.owner_run_id = c.owner_run_id
                   and p.checkpoint_name = '$timeout:' || r.attempt || ':' || c.checkpoint_name
                """)
    ]

    /// Numbers that say the same.
    static let counters = [
        Check(
            promise: "attempts stay within their limit, numbered without gaps",
            violations: """
                select format('task %s had %s runs, the last of attempt %s; allowed are %s',
                         t.task_id, count(*), max(r.attempt), t.max_attempts)
                  from absurd.t_chaos t join absurd.r_chaos r on r.task_id = t.task_id
                 group by t.task_id
                having count(*) > t.max_attempts or max(r.attempt) > t.max_attempts
                    or count(distinct r.attempt) <> count(*) or max(r.attempt) <> count(*) or min(r.attempt) <> 1
                """),
        Check(
            promise: "a task and its runs agree",
            violations: """
                select format('%s task %s is %s with attempt %s; its last run is %s with attempt %s',
                         t.task_name, t.task_id, t.state, t.attempts, r.state, r.attempt)
                  from absurd.t_chaos t
                  left join absurd.r_chaos r on r.run_id = t.last_attempt_run
                 where t.attempts is distinct from r.attempt
                    or (t.state is distinct from r.state
                      -- A failed attempt whose successor would start too late for the task's policy.
                      and not (t.state = 'cancelled' and r.state is not distinct from 'failed'
                        and t.cancellation is not null))
                    or t.attempts is distinct from (
                         select max(x.attempt) from absurd.r_chaos x where x.task_id = t.task_id)
                    or (t.state = 'completed' and t.completed_payload is distinct from r.result)
                """),
        Check(
            promise: "what has ended holds nothing and waits for nothing",
            violations: """
                select format('run %s of %s task %s is %s', r.run_id, t.state, t.task_id, r.state)
                  from absurd.r_chaos r join absurd.t_chaos t on t.task_id = r.task_id
                 where t.state in ('completed', 'failed', 'cancelled')
                   and r.state in ('pending', 'sleeping', 'running')
                union all
                select format('task %s is %s and waits for event %s', t.task_id, t.state, w.event_name)
                  from absurd.w_chaos w join absurd.t_chaos t on t.task_id = w.task_id
                 where t.state in ('completed', 'failed', 'cancelled')
                """),
        Check(
            promise: "the history ends where the tables stand",
            violations: """
                select format('task %s is %s, its last change made it %s', t.task_id, t.state, h.new_state)
                  from absurd.t_chaos t
                  left join (select distinct on (task_id) * from history.tasks order by task_id, seq desc) h
                    on h.task_id = t.task_id
                 where h.new_state is distinct from t.state
                """),
    ]
}
