import ChaosModel
import LibPQ
import TestSupport

/// A small round in which nothing goes wrong, with a task of each kind.
enum ChaosHistory {
    /// The connection keeps the helpers: `pg_temp.of` names the task of a kind or key, `pg_temp.run_of` its last run.
    static func played(_ storage: String) async throws -> PostgresConnection {
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: "select absurd.create_queue('chaos', '\(storage)')")
        try await connection.execute(script: History.schema)
        try await connection.execute(script: helpers)
        // Each line is a transaction, as each call of a worker is.
        for line in calls.split(separator: "\n") { try await connection.execute(script: String(line)) }
        return connection
    }

    private static let helpers = """
        create temp table held (label text primary key, run_id uuid, task_id uuid, token timestamptz);

        create function pg_temp.of(p_name text) returns uuid language sql as $$
          select t.task_id from absurd.t_chaos t
           where p_name in (t.idempotency_key, t.task_name) order by t.idempotency_key desc limit 1;
        $$;

        create function pg_temp.run_of(p_name text) returns uuid language sql as $$
          select t.last_attempt_run from absurd.t_chaos t where t.task_id = pg_temp.of(p_name);
        $$;

        create function pg_temp.spawn(p_kind text, p_key text, p_options jsonb default '{}')
        returns void language sql as $$
          insert into history.accepted
          select s.task_id, p_key
            from absurd_swift.spawn('chaos', null, null, array[p_kind], array[p_options ->> 'params'], array[
              ((p_options - 'params') || jsonb_build_object('idempotency_key', p_key))::text]) s;
          insert into history.planned select p_key where p_key like 'task-%';
        $$;

        create function pg_temp.claim(p_label text) returns void language plpgsql as $$
        begin
          delete from held where label = p_label;
          insert into held
          select p_label, c.run_id, c.task_id, c.token from absurd_swift.claim('chaos', 'w', 60, 1) c;
          if not found then
            raise exception 'there is nothing to claim for %', p_label;
          end if;
        end;
        $$;

        create function pg_temp.expect(p_answers text[], p_expected text) returns void language plpgsql as $$
        begin
          if p_answers is distinct from array[p_expected] then
            raise exception 'answered % instead of %', p_answers, p_expected;
          end if;
        end;
        $$;

        create function pg_temp.finish(
          p_label text, p_action text, p_payload jsonb default null, p_step text default null, p_delay float8 default null
        ) returns void language sql as $$
          select pg_temp.expect(array(
            select f.answer from held h, absurd_swift.finish('chaos', 'w', array[h.run_id], array[h.token],
              array[p_action], array[p_payload::text], array[p_step], array[null::timestamptz], array[p_delay]) f
             where h.label = p_label), 'done');
        $$;

        create function pg_temp.complete(p_label text, p_values jsonb default '{}') returns void language sql as $$
          select pg_temp.finish(p_label, 'complete', (
            select jsonb_build_object('worker', 'w', 'claim', h.token, 'values', p_values) from held h
             where h.label = p_label));
        $$;

        create function pg_temp.fail(p_label text, p_name text default 'Planned') returns void language sql as $$
          select pg_temp.finish(p_label, 'fail', (
            select jsonb_build_object('name', p_name, 'worker', 'w', 'claim', h.token) from held h
             where h.label = p_label));
        $$;

        create function pg_temp.step(p_label text, p_step text, p_state jsonb) returns void language sql as $$
          select pg_temp.expect(array(
            select c.answer from held h, absurd_swift.checkpoint('chaos', 'w', array[h.run_id], array[h.token],
              array[p_step], array[p_state::text], array[60]) c where h.label = p_label), 'stored');
        $$;

        create function pg_temp.event(
          p_label text, p_step text, p_event text, p_timeout float8, p_expected text
        ) returns void language sql as $$
          select pg_temp.expect(array(
            select a.answer from held h, absurd_swift.await_event('chaos', 'w', array[h.run_id], array[h.token],
              array[p_step], array[p_event], array[p_timeout], array[true]) a where h.label = p_label), p_expected);
        $$;

        create function pg_temp.await_child(p_expected text) returns void language sql as $$
          select pg_temp.expect(array(
            select a.answer from held h, absurd_swift.await_task('chaos', 'w', array[h.run_id], array[h.token],
              array['result-4'], array['chaos'], array[pg_temp.of(h.task_id || ':child-4')], array[60.0::float8], array[true]) a
             where h.label = 'steady'), p_expected);
        $$;
        """

    private static let calls = """
        select pg_temp.spawn('steady', 'task-0', '{"max_attempts": null, "params": "[]"}')
        select pg_temp.claim('steady')
        insert into history.effects select 'token', task_id, 'step-0', run_id, 'w', token from held
        select pg_temp.step('steady', 'step-0', '"token"')
        select pg_temp.finish('steady', 'sleep', '"2030-01-01T00:00:00Z"', 'sleep-1', 0)
        select pg_temp.claim('steady')
        select pg_temp.event('steady', 'event-one', 'one', null, 'parked')
        select absurd_swift.emit('chaos', array['one'], array['"hello"'])
        insert into history.emitted values ('one')
        select pg_temp.claim('steady')
        select pg_temp.event('steady', 'brief-3-two', 'two', 0, 'parked')
        select pg_temp.claim('steady')
        select pg_temp.event('steady', 'brief-3-two', 'two', 0, 'timed_out')
        insert into history.timeouts select run_id, 'two', token from held where label = 'steady'
        select pg_temp.spawn('steady', pg_temp.of('task-0') || ':child-4', '{"max_attempts": null, "params": "[]"}')
        select pg_temp.step('steady', 'child-4', jsonb_build_object('task_id', pg_temp.of(pg_temp.of('task-0') || ':child-4')))
        select pg_temp.await_child('parked')
        select pg_temp.claim('child')
        select absurd_swift.renew('chaos', 'w', array[run_id], array[token], array[600]) from held where label = 'child'
        select pg_temp.complete('child')
        select pg_temp.claim('steady')
        select pg_temp.await_child('received')
        select absurd_swift.emit('chaos', array['two'], array['"late"'])
        select pg_temp.event('steady', 'brief-5-two', 'two', 0, 'received')
        select pg_temp.finish('steady', 'release')
        select pg_temp.claim('steady')
        select pg_temp.complete('steady', '{"step-0": "token", "event-one": "hello", "brief-5-two": "late"}')
        select pg_temp.spawn('doomed', 'task-1', '{"max_attempts": 1, "params": "[{\\"fail\\": {\\"attempts\\": 9}}]"}')
        select pg_temp.claim('doomed')
        select pg_temp.fail('doomed')
        select pg_temp.spawn('cancelled', 'task-2', '{"params": "[]"}')
        select absurd_swift.cancel('chaos', array[pg_temp.of('cancelled')])
        select pg_temp.spawn('limited', 'task-3', '{"max_attempts": 2, "params": "[{\\"fail\\": {\\"attempts\\": 1}}]"}')
        select pg_temp.claim('limited')
        select pg_temp.fail('limited')
        select pg_temp.claim('limited')
        select pg_temp.complete('limited')
        select pg_temp.spawn('overrunning', 'task-4', '{"max_attempts": 2, "params": "[{\\"overrun\\": {\\"attempts\\": 1}}]"}')
        set absurd.fake_now = '2020-01-01'
        select pg_temp.spawn('steady', 'task-5', '{"max_attempts": null, "params": "[]"}')
        select pg_temp.claim('lost')
        set absurd.fake_now = ''
        select pg_temp.claim('overrunning')
        select pg_temp.fail('overrunning', '$AttemptTimeout')
        select pg_temp.claim('after')
        select pg_temp.claim('overrunning')
        select pg_temp.complete('after')
        select pg_temp.complete('overrunning')
        select pg_temp.spawn('retried', 'task-6', '{"max_attempts": 1, "params": "[{\\"fail\\": {\\"attempts\\": 1}}]"}')
        select pg_temp.claim('retried')
        select pg_temp.fail('retried')
        insert into history.retried values (pg_temp.of('retried'))
        select absurd.retry_task('chaos', pg_temp.of('retried'), '{"max_attempts": 2}')
        select pg_temp.claim('retried')
        select pg_temp.complete('retried')
        select pg_temp.spawn('expiring', 'task-7', '{"cancellation": {"max_duration": 30}, "retry_strategy": {"kind": "fixed", "base_seconds": 60}, "params": "[]"}')
        select pg_temp.claim('expiring')
        select pg_temp.fail('expiring', 'TooLateForAnother')
        """
}
