/// A wrong history: what breaks a promise, and what the check says then.
///
/// Each arm of each check has one, in the words that only that arm has.
struct ChaosOffence: Sendable {
    let promise: String
    let says: String
    let sql: String

    init(_ promise: String, says: String, _ sql: String) {
        self.promise = promise
        self.says = says
        self.sql = sql
    }

    static let all = endings + spawns + values + fences + claims + events + counters

    private static func task(_ name: String) -> String { "task_id = pg_temp.of('\(name)')" }

    private static let endings: [ChaosOffence] = [
        ChaosOffence(
            "an accepted task is kept", says: "is gone",
            "insert into history.accepted values (gen_random_uuid(), 'task-99')"),
        ChaosOffence(
            "an accepted task is kept", says: "was there and is gone",
            "delete from absurd.t_chaos where \(task("task-0"))"),
        ChaosOffence(
            "every accepted task ends", says: "steady task",
            "select absurd.spawn_task('chaos', 'steady', '[]')"),
        kind("steady", "cancelled"), kind("steady", "doomed"),
        kind("limited", "cancelled"), kind("limited", "doomed", "max_attempts = 9"),
        kind("overrunning", "cancelled"), kind("overrunning", "doomed", "max_attempts = 9"),
        kind("doomed", "task-0"), kind("doomed", "doomed", "max_attempts = 9"),
        // Completed, in its last attempt, that was none by hand.
        kind("retried", "limited"), kind("retried", "retried", "max_attempts = 9"),
        kind("retried", "cancelled"), kind("cancelled", "task-0"), kind("expiring", "doomed"),
        ChaosOffence(
            "a terminal state never changes", says: "was completed and became cancelled",
            "update absurd.t_chaos set state = 'cancelled' where \(task("task-0"))"),
        ChaosOffence(
            "a terminal state never changes", says: "was completed and became completed",
            "update absurd.t_chaos set completed_payload = '1' where \(task("task-0"))"),
        ChaosOffence(
            "a terminal state never changes", says: "became running, or was claimed",
            "update absurd.r_chaos set state = 'running' where \(task("task-0"))"),
        ChaosOffence(
            "a terminal state never changes", says: "became completed, or was claimed",
            "update absurd.r_chaos set started_at = now() where \(task("task-0"))"),
        // By nobody's hand, and by hand once more than was asked for.
        ChaosOffence(
            "a terminal state never changes", says: "was failed and became pending",
            "delete from history.retried"),
        ChaosOffence(
            "a terminal state never changes", says: "was failed and became pending",
            """
            insert into history.tasks (task_id, old_state, new_state, is_changed)
            values (pg_temp.of('retried'), 'failed', 'pending', true)
            """),
    ]

    /// A task whose kind is another than that of the task that it is.
    private static func kind(_ kind: String, _ name: String, _ other: String? = nil) -> ChaosOffence {
        ChaosOffence(
            "a task ends as its kind has to", says: "\(kind) task",
            "update absurd.t_chaos set task_name = '\(kind)'\(other.map { ", \($0)" } ?? "") where \(task(name))"
        )
    }

    private static let spawns: [ChaosOffence] = [
        ChaosOffence(
            "a task is spawned once, however often it is asked for", says: "key task-0 has 2 tasks",
            """
            alter table absurd.t_chaos drop constraint t_chaos_idempotency_key_key;
            update absurd.t_chaos set idempotency_key = 'task-0' where \(task("doomed"))
            """),
        ChaosOffence(
            "a task is spawned once, however often it is asked for", says: "key task-99 has 0 tasks",
            "insert into history.planned values ('task-99')"),
        ChaosOffence(
            "a task is spawned once, however often it is asked for", says: "was accepted with key task-1",
            "update history.accepted set key = 'task-1' where \(task("task-0"))"),
        ChaosOffence(
            "a recorded child is the only one of its name", says: "child-4",
            """
            update absurd.c_chaos set state = jsonb_set(state, '{task_id}', to_jsonb(gen_random_uuid()))
             where checkpoint_name = 'child-4'
            """),
        ChaosOffence(
            "a recorded child is the only one of its name", says: "child-4",
            "update absurd.t_chaos set idempotency_key = 'other' where idempotency_key like '%:child-4'"),
        ChaosOffence(
            "there are no tasks that nobody asked for", says: "steady task",
            "select absurd.spawn_task('chaos', 'steady', '[]')"),
        // A parent that spawns again what it has recorded, under another key.
        ChaosOffence(
            "there are no tasks that nobody asked for", says: ":child-4#2",
            "select pg_temp.spawn('steady', pg_temp.of('task-0') || ':child-4#2', '{\"params\": \"[]\"}')"),
    ]

    private static let values: [ChaosOffence] = [
        ChaosOffence(
            "a step has one value, the first committed", says: "was written 2 times",
            "update absurd.c_chaos set state = '2' where checkpoint_name = 'step-0'"),
        ChaosOffence(
            "a step has one value, the first committed", says: "and was first",
            "delete from absurd.c_chaos where checkpoint_name = 'step-0'"),
        ChaosOffence(
            "a recorded value is that of an execution", says: "step-9",
            """
            insert into absurd.c_chaos (task_id, checkpoint_name, state) values (pg_temp.of('task-0'), 'step-9', '1')
            """),
        ChaosOffence(
            "a step that is recorded is not executed under a later claim", says: "step-0",
            """
            insert into history.effects
              select 'again', task_id, step, run_id, worker, now() + interval '1 minute' from history.effects
            """),
        ChaosOffence(
            "a handler saw what is recorded", says: "saw step-0 as other",
            """
            update absurd.t_chaos set completed_payload = jsonb_set(completed_payload, '{values,step-0}', '"other"')
             where \(task("task-0"))
            """),
    ]

    private static let events: [ChaosOffence] = [
        ChaosOffence(
            "an accepted event is kept, and its first emission counts", says: "event one is gone",
            "delete from absurd.e_chaos"),
        ChaosOffence(
            "an accepted event is kept, and its first emission counts", says: "was emitted 2 times",
            "update absurd.e_chaos set payload = '2'"),
        ChaosOffence(
            "an accepted event is kept, and its first emission counts", says: "event one has the payload 2",
            "alter table absurd.e_chaos disable trigger history; update absurd.e_chaos set payload = '2'"),
        ChaosOffence(
            "an emitted event reaches every waiter", says: "still waits for event one",
            """
            insert into absurd.w_chaos (task_id, run_id, step_name, event_name)
            values (pg_temp.of('task-0'), pg_temp.run_of('task-0'), 'event-one', 'one')
            """),
        ChaosOffence(
            "an emitted event reaches every waiter", says: "received 2 as event one",
            "update absurd.c_chaos set state = '2' where checkpoint_name = 'event-one'"),
        ChaosOffence(
            "an emitted event reaches every waiter", says: "received 2 as event two",
            "update absurd.c_chaos set state = '2' where checkpoint_name = 'brief-5-two'"),
        ChaosOffence(
            "a wait is given up after its deadline and without the event", says: "before a deadline",
            "insert into history.timeouts values (pg_temp.run_of('task-0'), 'one', now())"),
        ChaosOffence(
            "a wait is given up after its deadline and without the event", says: "before a deadline",
            "update history.timeouts set claim = claim - interval '1 hour'"),
        ChaosOffence(
            "a wait is given up after its deadline and without the event", says: "it was there at",
            "insert into history.emitted values ('two', '2000-01-01')"),
    ]

    private static let counters: [ChaosOffence] = [
        ChaosOffence(
            "attempts stay within their limit, numbered without gaps", says: "allowed are 0",
            "update absurd.t_chaos set max_attempts = 0 where \(task("task-0"))"),
        ChaosOffence(
            "attempts stay within their limit, numbered without gaps", says: "the last of attempt 2",
            "update absurd.r_chaos set attempt = 2 where \(task("task-0"))"),
        agreement(
            "with attempt 2; its last run is completed with attempt 1",
            "update absurd.t_chaos set attempts = 2"),
        agreement(
            "is failed with attempt 1; its last run is completed",
            "update absurd.t_chaos set state = 'failed'"),
        agreement("its last run is completed with attempt 1", "update absurd.r_chaos set result = '1'"),
        // A later attempt than the last.
        agreement(
            "its last run is completed with attempt 1",
            """
            insert into absurd.r_chaos (run_id, task_id, attempt, state, available_at)
              select gen_random_uuid(), task_id, 2, 'failed', now() from absurd.t_chaos
            """),
        // Its next attempt would have come too late for its policy, which it does not have now.
        agreement(
            "is cancelled with attempt 1; its last run is failed",
            "update absurd.t_chaos set cancellation = null",
            of: "expiring"),
        ChaosOffence(
            "what has ended holds nothing and waits for nothing", says: "of completed task",
            "update absurd.r_chaos set state = 'pending' where \(task("task-0"))"),
        ChaosOffence(
            "what has ended holds nothing and waits for nothing",
            says: "is completed and waits for event three",
            """
            insert into absurd.w_chaos (task_id, run_id, step_name, event_name)
            values (pg_temp.of('task-0'), pg_temp.run_of('task-0'), 'event-three', 'three')
            """),
        ChaosOffence(
            "the history ends where the tables stand", says: "its last change made it",
            "delete from history.tasks"),
    ]

    private static func agreement(_ says: String, _ sql: String, of name: String = "task-0") -> ChaosOffence {
        ChaosOffence("a task and its runs agree", says: says, "\(sql) where \(task(name))")
    }
}
