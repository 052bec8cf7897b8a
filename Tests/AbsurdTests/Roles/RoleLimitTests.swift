import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// What each role cannot do.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct RoleLimitTests {
    private static let spawn =
        "select * from absurd_swift.spawn('q', null, null, array['t'], array[null], array[null])"
    private static let emit = "select * from absurd_swift.emit('q', array['e'], array[null])"
    private static let cancel = "select * from absurd_swift.cancel('q', '{}')"
    private static let claim = "select * from absurd_swift.claim('q', 'w', 30, 1)"
    private static let renew = "select * from absurd_swift.renew('q', 'w', '{}', '{}', '{}')"
    private static let finish =
        "select * from absurd_swift.finish('q', 'w', '{}', '{}', '{}', '{}', '{}', '{}', '{}')"
    private static let checkpoint =
        "select * from absurd_swift.checkpoint('q', 'w', '{}', '{}', '{}', '{}', '{}')"
    private static let lost = [
        "select * from absurd_swift.worker_lost('w')", "select * from absurd_swift.process_lost('p')",
    ]
    private static let registry = [
        "select absurd_swift.register('w', 'q', 'p', 'h', 1, '1', 1)",
        "select * from absurd_swift.beat(array['w'], array[0], array[1], true)",
        "select * from absurd_swift.reap('w')", "select absurd_swift.deregister('w')",
    ]
    private static let step = "select * from absurd.get_task_checkpoint_state('q', gen_random_uuid(), 's')"
    private static let createQueue = "select absurd.create_queue('other')"
    private static let dropQueue = "select absurd.drop_queue('q')"
    private static let policy = "select absurd.set_queue_policy('q', '{}')"
    private static let retry = "select absurd.retry_task('q', gen_random_uuid())"
    private static let cleanup = "select absurd.cleanup_tasks('q', 0, 1)"
    private static let read = ["t", "r", "c", "e", "w"].map { "select * from absurd.\($0)_q" }

    /// What is done to runs under a claim, and to queues and ended tasks.
    private static let writes = [claim, renew, finish, checkpoint]
    private static let keeping = [createQueue, dropQueue, policy, retry, cleanup]

    private static func all(_ parts: [String]...) -> [String] { parts.flatMap(\.self) }

    /// What nobody but the owner can do.
    private static let ownersOnly =
        ["t", "r", "c", "e", "w"].flatMap { table in
            ["insert into absurd.\(table)_q default values", "delete from absurd.\(table)_q"]
        } + [
            "update absurd.r_q set state = 'completed'", "update absurd.t_q set params = '{}'",
            "update absurd.c_q set state = '1'", "truncate absurd.t_q", "drop table absurd.t_q",
            "select * from absurd.t_q for update",
            "update absurd.queues set cleanup_ttl = '0'", "delete from absurd.queues",
            "delete from absurd_swift.result_waits", "delete from absurd_swift.result_listeners",
            "create table absurd.mine ()", "create table absurd_swift.mine ()",
            "create or replace function absurd_swift.verdict(text, text, boolean) returns text language sql as $$select 'done'$$",
            "alter function absurd_swift.claim(text, text, integer, integer, timestamptz, boolean, boolean, boolean) security invoker",
            // The calls of other SDKs, which know no claim.
            "select absurd.spawn_task('q', 't', '{}', '{}')", "select absurd.claim_task('q', 'w', 30, 1)",
            "select absurd.complete_run('q', run_id, '1') from (select gen_random_uuid() as run_id) x",
            "select absurd.fail_run('q', gen_random_uuid(), '{}')", "select absurd.emit_event('q', 'e', '1')",
            "select absurd.cancel_task('q', gen_random_uuid())",
            // The inner functions, which trust their callers.
            "select * from absurd_swift.cancel_tasks('q', '{}', now(), true)",
            "select * from absurd_swift.fail_runs('q', '{}', '{}', '{}', '{}', now(), true)",
            "select absurd_swift.wake_event_waits('q', array['e'], now())",
        ]

    static let forbidden: [Role: [String]] = [
        .producer: all(writes, keeping, [step], read, lost, registry),
        .worker: all(keeping, read, lost),
        .supervisor: all([spawn, emit, cancel, step], writes, keeping, read, registry),
        .operator: all(writes, registry),
        .viewer: all(
            [spawn, emit, cancel, "select * from absurd_swift.task_results('q', '{}', 'channel')"], writes,
            keeping, lost, registry),
    ]

    static let allowed: [Role: [String]] = [
        .producer: [spawn, emit, cancel],
        .worker: all([spawn, emit, cancel, step], writes, registry),
        .supervisor: lost,
        .operator: all([spawn, emit, cancel, cleanup, step], read, lost),
        .viewer: all(read, [step]),
    ]

    @Test(arguments: Role.allCases)
    func `each role can do what it is for, and is refused everything else`(_ role: Role) async throws {
        try await Role.make()
        let owner = try await TestDatabase.current.connect()
        _ = try await owner.query("select absurd.create_queue('q')")
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(script: "set role \(role.name)")
        for sql in Self.allowed[role] ?? [] { _ = try await connection.query(sql) }
        for sql in (Self.forbidden[role] ?? []) + Self.ownersOnly {
            let error = await #expect(throws: PostgresError.self, "\(sql)") {
                _ = try await connection.query(sql)
            }
            #expect(error?.sqlState == "42501", "\(sql): \(error?.message ?? "")")
        }
    }

    /// What each role may call, beside what everybody may: written down here, so that a grant too many is noticed.
    private static let callable: [Role: String] = {
        let producing = """
            absurd_swift.spawn absurd_swift.spawn_new absurd_swift.emit absurd_swift.cancel absurd_swift.task_results
            """
        return [
            .producer: "\(producing) absurd.get_task_result",
            .worker: """
            \(producing) absurd.get_task_result absurd.get_task_checkpoint_state
            absurd_swift.spawn_and_claim absurd_swift.emit_and_claim
            absurd_swift.claim absurd_swift.load_checkpoints absurd_swift.checkpoint absurd_swift.renew
            absurd_swift.await_event absurd_swift.await_task absurd_swift.complete absurd_swift.finish
            absurd_swift.give_back_strays absurd_swift.arm absurd_swift.disarm absurd_swift.due_in
            absurd_swift.make_triggers absurd_swift.make_functions
            absurd_swift.register absurd_swift.beat absurd_swift.reap absurd_swift.deregister
            """,
            .supervisor: "absurd_swift.worker_lost absurd_swift.process_lost",
            .operator: """
            \(producing) absurd.get_task_result absurd.get_task_checkpoint_state
            absurd_swift.worker_lost absurd_swift.process_lost absurd_swift.due_in
            absurd_swift.make_triggers absurd_swift.make_functions
            absurd.create_queue absurd.drop_queue absurd.set_queue_policy absurd.ensure_partitions
            absurd.retry_task absurd.cleanup_tasks absurd.cleanup_events absurd.cleanup_all_queues
            """,
            .viewer: "absurd.get_task_result absurd.get_task_checkpoint_state absurd_swift.due_in",
        ]
    }()

    private static let callableByAll: Set<String> = [
        "absurd.get_schema_version", "absurd.current_time", "absurd.list_queues", "absurd.get_queue_policy",
        "absurd_swift.get_schema_version", "absurd_swift.missing_triggers", "absurd_swift.missing_indexes",
    ]

    @Test(arguments: Role.allCases)
    func `a role may call these functions, and no other that changes anything`(_ role: Role) async throws {
        try await Role.make()
        let callable = try await TestDatabase.current.connect().query(
            """
            select distinct p.pronamespace::regnamespace || '.' || p.proname
            from pg_proc p
            where p.pronamespace in ('absurd'::regnamespace, 'absurd_swift'::regnamespace)
              and p.proname not like '%:%' and has_function_privilege($1, p.oid, 'execute')
              -- What runs with the caller's rights can do nothing that its caller could not.
              and (p.prosecdef or p.proname = any ($2))
            """,
            [.text(role.name), .textArray(Self.callableByAll.map { String($0.split(separator: ".")[1]) })]
        ).map { try $0.decode(0, as: String.self) }
        let expected = Set((Self.callable[role] ?? "").split(whereSeparator: \.isWhitespace).map(String.init))
        #expect(
            Set(callable).symmetricDifference(expected.union(Self.callableByAll)).sorted() == [])
    }

    @Test func `a program without a privilege is told which`() async throws {
        try await Role.make()
        let viewer = try Role.viewer.client()
        let owner = try makeClient()
        try await owner.createQueue("default")
        let error = await #expect(throws: AbsurdError.self) { try await viewer.spawn("t", params: nil) }
        #expect(error?.code == .privilegeMissing)
        for client in [owner, viewer] { await client.close() }
    }

    @Test func `every function of the schemas is in one of the lists`() async throws {
        let connection = try await TestDatabase.current.connect()
        let existing = try await connection.query(
            """
            select distinct pronamespace::regnamespace || '.' || proname
            from pg_proc where pronamespace in ('absurd'::regnamespace, 'absurd_swift'::regnamespace)
              and proname not like '%:%'
            """
        ).map { try $0.decode(0, as: String.self) }
        let script = AbsurdSchema.roles
        var listed = script.matches(of: /\('(absurd|absurd_swift)', '([a-z_0-9]+)', '[a-z ]+'\)/).map {
            "\($0.1).\($0.2)"
        }
        for line in script.matches(of: /-- inner (absurd|absurd_swift): ([a-z_0-9 ]+)/) {
            listed += line.2.split(separator: " ").map { "\(line.1).\($0)" }
        }
        #expect(Set(existing).symmetricDifference(listed).sorted() == [])
        #expect(listed.count == Set(listed).count)
    }

    @Test func `what runs as its owner is closed to the public, with a fixed search path and clock`()
        async throws
    {
        try await Role.make()
        let connection = try await TestDatabase.current.connect()
        let open = try await connection.query(
            """
            select p.oid::regprocedure::text
            from pg_proc p
            where p.pronamespace in ('absurd'::regnamespace, 'absurd_swift'::regnamespace) and p.prosecdef
              and (has_function_privilege('public', p.oid, 'execute')
                or not p.proconfig @> array['search_path=pg_catalog, pg_temp', 'absurd.fake_now='])
            """
        ).map { try $0.decode(0, as: String.self) }
        #expect(open == [])
        let count = try await connection.query(
            "select count(*) from pg_proc where prosecdef and pronamespace = 'absurd_swift'::regnamespace")
        #expect(try count[0].decode(0, as: Int.self) > 10)
    }

    @Test func `no role has a right to change a table, and viewers see all of them`() async throws {
        try await Role.make()
        let connection = try await TestDatabase.current.connect()
        _ = try await connection.query("select absurd.create_queue('q', 'partitioned')")
        let rights = try await connection.query(
            """
            select r.rolname || ' ' || c.oid::regclass::text || ' ' || p.privilege
            from pg_class c
            cross join unnest($1::text[]) r(rolname)
            cross join unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(privilege)
            where c.relkind in ('r', 'p') and c.relnamespace in ('absurd'::regnamespace, 'absurd_swift'::regnamespace)
              and has_table_privilege(r.rolname, c.oid, p.privilege)
            union all
            select 'absurd_viewer ' || c.oid::regclass::text || ' cannot SELECT' from pg_class c
            where c.relkind in ('r', 'p') and c.relnamespace in ('absurd'::regnamespace, 'absurd_swift'::regnamespace)
              and not has_table_privilege('absurd_viewer', c.oid, 'SELECT')
            """, [.textArray(Role.allCases.map(\.name))]
        ).map { try $0.decode(0, as: String.self) }
        #expect(rights == [])
    }

    @Test func `the script works for an owner who is no superuser, and migrate repeats it`() async throws {
        let name = "absurd_test_owner_\(UInt32.random(in: 0 ... .max))"
        let admin = try await TestDatabase.current.connect()
        try await admin.execute(
            script: """
                create role \(name) createrole;
                drop schema absurd_swift cascade;
                drop schema absurd cascade;
                grant create on database \(TestDatabase.current.name) to \(name);
                """)
        // The roles are there, made by whoever came first.
        try await admin.execute(script: AbsurdSchema.sql())
        try await admin.execute(script: AbsurdSchema.roles)
        try await admin.execute(script: "drop schema absurd_swift cascade; drop schema absurd cascade")
        let owner = try makeClient {
            $0 = AbsurdConfiguration(Role.connectionString(enteringAs: name))
        }
        try await owner.migrate()
        try await owner.createQueue("default")
        _ = try await owner.pool.withConnection { try await $0.execute(script: AbsurdSchema.roles) }
        try await owner.migrate()
        let producer = try Role.producer.client()
        #expect(try await producer.spawn("t", params: nil).wasCreated)
        for client in [owner, producer] { await client.close() }
        try await admin.execute(script: "drop owned by \(name) cascade; drop role \(name)")
    }
}
