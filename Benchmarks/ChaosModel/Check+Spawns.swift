extension Check {
    /// Which tasks there are.
    static let spawns = [
        Check(
            promise: "a task is spawned once, however often it is asked for",
            violations: """
                select format('key %s has %s tasks', k.key, count(t.task_id))
                  from (select key from history.planned union select key from history.accepted
                        union select idempotency_key from absurd.t_chaos where idempotency_key is not null) k
                  left join absurd.t_chaos t on t.idempotency_key = k.key
                 group by k.key having count(t.task_id) <> 1
                union all
                select format('task %s was accepted with key %s and has %s', a.task_id, a.key, t.idempotency_key)
                  from history.accepted a join absurd.t_chaos t on t.task_id = a.task_id
                 where t.idempotency_key is distinct from a.key
                """),
        Check(
            promise: "a recorded child is the only one of its name",
            violations: """
                select format('%s of task %s is %s, which is no such task', c.checkpoint_name, c.task_id, c.state)
                  from absurd.c_chaos c
                 where c.checkpoint_name like 'child-%'
                   and not exists (
                     select from absurd.t_chaos t
                      where t.task_id::text = c.state ->> 'task_id'
                        and t.idempotency_key = c.task_id || ':' || c.checkpoint_name)
                """),
        Check(
            promise: "there are no tasks that nobody asked for",
            violations: """
                select format('%s task %s with key %s', t.task_name, t.task_id, t.idempotency_key)
                  from absurd.t_chaos t
                 where not exists (select from history.planned p where p.key = t.idempotency_key)
                   and not exists (
                     select from absurd.c_chaos c
                      where c.checkpoint_name like 'child-%'
                        and c.task_id || ':' || c.checkpoint_name = t.idempotency_key
                        and c.state ->> 'task_id' = t.task_id::text)
                """),
    ]
}
