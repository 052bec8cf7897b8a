import Absurd
import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

/// A server of the test's own, behind a line, that loses the connection of a statement at a chosen moment.
///
/// Rows that are written to the guarded tables wait while there is the flag `cut`, those named `decoy` while there is
/// the flag `decoy`. Commits wait while the server is told of a standby that does not exist.
struct CuttingScene {
    let client: AbsurdClient
    private let admin: PostgresConnection
    private let proxy: TCPProxy

    static func with(_ body: (CuttingScene) async throws -> Void) async throws {
        try await EphemeralPostgres.withServer(EphemeralPostgres.replicated) { server in
            let proxy = try TCPProxy(to: server.port)
            var configuration = AbsurdConfiguration("postgresql://postgres@127.0.0.1:\(proxy.port)/postgres")
            configuration.statementTimeout = .seconds(300)
            let client = try AbsurdClient(configuration, logger: .quiet)
            let admin = try await PostgresConnection.connect(
                PostgresConfiguration(connectionString: server.connectionString(over: .unixSocket)),
                logger: .quiet)
            // Its own statements are not to wait.
            try await admin.execute(script: "set synchronous_commit = local")
            try await client.migrate()
            try await admin.execute(script: Self.guardFunction)
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(
                    try await body(CuttingScene(client: client, admin: admin, proxy: proxy)))
            } catch {
                outcome = .failure(error)
            }
            await client.close()
            await admin.close()
            proxy.close()
            try outcome.get()
        }
    }

    private static let guardFunction = """
        create table flags (name text primary key);
        create function hold_back() returns trigger language plpgsql as $$
        declare
          v_row jsonb := to_jsonb(new);
          v_flag text := case when 'decoy' in (v_row ->> 'task_name', v_row ->> 'event_name') then 'decoy' else 'cut' end;
        begin
          if v_flag = 'decoy' then perform set_config('synchronous_commit', 'local', true); end if;
          while exists (select from flags f where f.name = v_flag) loop
            perform pg_sleep(0.01);
          end loop;
          return new;
        end $$;
        """

    /// - Parameter condition: Which rows are guarded, as the trigger sees them.
    func guardTables(_ prefixes: [String], of queue: String, when condition: String = "true") async throws {
        for prefix in prefixes {
            try await admin.execute(
                script: """
                    create trigger hold_back before insert or update on absurd.\(prefix)_\(queue)
                      for each row when (\(condition)) execute function hold_back()
                    """)
        }
    }

    func raise(_ flag: String) async throws {
        try await admin.query("insert into flags values ($1)", [.text(flag)])
    }

    func lower(_ flag: String) async throws {
        try await admin.query("delete from flags where name = $1", [.text(flag)])
    }

    func count(_ rows: String) async throws -> Int {
        try await admin.query("select count(*) from \(rows)")[0].decode(0)
    }

    /// Loses the connection of the statement that `release` lets go, at that moment.
    ///
    /// - Parameter query: What is found in that statement's text when its connection is lost.
    func cut(
        _ moment: Moment, query: String = "absurd_swift.", _ release: () async throws -> Void
    ) async throws {
        do {
            try await lose(moment, query, release)
        } catch {
            try? await letGo()
            throw error
        }
    }

    /// Nothing is held back any more, so that a test that failed ends.
    private func letGo() async throws {
        proxy.become(.cut)
        proxy.become(.open)
        try await admin.query("delete from flags")
        try await setStandby("")
    }

    private func lose(_ moment: Moment, _ query: String, _ release: () async throws -> Void) async throws {
        switch moment {
        case .beforeCommit:
            try await raise("cut")
            try await release()
            try await terminate(try await statement(waitingFor: "PgSleep", query: query))
            try await lower("cut")
        case .withinCommit:
            try await setStandby("nobody")
            try await release()
            try await terminate(try await statement(waitingFor: "SyncRep", query: query))
            try await setStandby("")
        case .afterCommit:
            try await setStandby("nobody")
            try await release()
            let session = try await statement(waitingFor: "SyncRep", query: query)
            try await loseAnswer(of: session) { try await setStandby("") }
        }
    }

    /// Loses what the server answers to the statement that `release` lets go, with all connections.
    func loseAnswer(of session: Int32, _ release: () async throws -> Void) async throws {
        proxy.become(.silent)
        try await release()
        try await eventually("the server has answered") {
            try await count("pg_stat_activity where pid = \(session) and state = 'idle'") == 1
        }
        proxy.become(.cut)
        proxy.become(.open)
    }

    /// The session of the only statement that waits so.
    func statement(waitingFor event: String, query: String = "absurd_swift.") async throws -> Int32 {
        let sql = """
            select pid from pg_stat_activity
             where wait_event = '\(event)' and query like '%\(query)%' and pid <> pg_backend_pid()
            """
        // Kept from the look that found it: between two sleeps of ten milliseconds the next look finds nothing.
        var row: SQLRow?
        try await eventually("a statement waits for \(event)") {
            row = try await admin.query(sql).first
            return row != nil
        }
        if row == nil { try await letGo() }
        return try #require(row).decode("pid")
    }

    func terminate(_ session: Int32) async throws {
        // Waited for: else it might still get its answer out, and die in the hands of the next call.
        try await admin.query("select pg_terminate_backend($1, 60000)", [.int(Int64(session))])
    }

    private func setStandby(_ name: String) async throws {
        try await admin.query("alter system set synchronous_standby_names = '\(name)'")
        try await admin.query("select pg_reload_conf()")
        // Told to everybody by the checkpointer, a moment later than it can be read.
        try await eventually("the server has read its settings") {
            let row = try await admin.query("show synchronous_standby_names")[0]
            return try row.decode(0, as: String.self) == name
        }
    }
}
