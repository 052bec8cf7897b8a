import Absurd
import LibPQ

/// Whether the server cleans up behind the workers, each of whose updates leaves a dead row.
extension Doctor {
    func vacuum(_ connection: PostgresConnection) async throws -> [Finding] {
        var found: [Finding] = []
        let open = Double(limits.openTransaction.components.seconds)
        for (statement, parameters) in [
            (Self.settings, []), (Self.tables, [.int(limits.deadRows)]),
            (Self.oldTransactions, [.double(open)]), (Self.hiddenSessions, []),
            (Self.wraparound, [.int(limits.transactionAge)]),
        ] as [(String, [SQLParameter])] {
            found += try await findings("vacuum", connection, statement, parameters)
        }
        return found.isEmpty ? [.ok("vacuum", "autovacuum keeps up")] : found
    }

    private static let settings = """
        select 'failed' as status, format('%s is off: dead rows pile up and claims become slow', name) as text,
          format('set %s to on and reload the server', name) as remedy
        from pg_settings where name in ('autovacuum', 'track_counts') and setting = 'off'
        order by name
        """

    private static let tables = """
        select 'warning' as status, format('autovacuum is off for the table %I.%I', n.nspname, c.relname) as text,
          format('ALTER TABLE %I.%I RESET (autovacuum_enabled)', n.nspname, c.relname) as remedy
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('absurd', 'absurd_swift')
          and exists (
            select from unnest(c.reloptions) o
            where o ~* '^autovacuum_enabled=(off|false|no|0)$')
        union all
        select 'warning',
          format('the table %I.%I has %s dead rows beside %s', s.schemaname, s.relname, s.n_dead_tup, s.n_live_tup),
          format('VACUUM %I.%I; then look for what holds autovacuum up: old transactions, too few workers',
            s.schemaname, s.relname)
        from pg_stat_user_tables s
        where s.schemaname in ('absurd', 'absurd_swift') and s.n_dead_tup > $1::int8
          and s.n_dead_tup > s.n_live_tup
        """

    private static let oldTransactions = """
        select 'warning' as status,
          format('a transaction of ''%s'' (process %s) is open since %s: nothing dead since then is cleaned up',
            coalesce(nullif(a.application_name, ''), 'unknown'), a.pid,
            to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')) as text,
          format('end it there, or here: SELECT pg_terminate_backend(%s)', a.pid) as remedy
        from pg_stat_activity a
        where a.datname = current_database() and a.backend_type = 'client backend'
          and a.pid <> pg_backend_pid() and a.xact_start < clock_timestamp() - make_interval(secs => $1::float8)
        union all
        select 'warning',
          format('a prepared transaction (%L) is open since %s: nothing dead since then is cleaned up', p.gid,
            to_char(p.prepared at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')),
          format('COMMIT PREPARED %L or ROLLBACK PREPARED %L', p.gid, p.gid)
        from pg_prepared_xacts p
        where p.database = current_database() and p.prepared < clock_timestamp() - make_interval(secs => $1::float8)
        union all
        select 'warning', format('the replication slot %I holds cleaning back, and nobody uses it', s.slot_name),
          format('SELECT pg_drop_replication_slot(%L), if it is not needed', s.slot_name)
        from pg_replication_slots s
        where not s.active and (s.xmin is not null or s.catalog_xmin is not null)
        """

    /// Of the sessions of others a role without that privilege sees neither state nor transaction.
    private static let hiddenSessions = """
        select 'warning' as status,
          format('other sessions are not visible (%s of them), nor since when their transactions are open', count(*))
            as text,
          format('GRANT pg_read_all_stats TO %I', current_user) as remedy
        from pg_stat_activity a
        where a.datname = current_database() and a.backend_type is null and a.usesysid is not null
        having count(*) > 0
        """

    private static let wraparound = """
        select case when age(datfrozenxid) > 1800000000 then 'failed' else 'warning' end as status,
          format('the oldest row is %s transactions old; at two billion the server stops', age(datfrozenxid)) as text,
          'VACUUM the database as its owner, and look for what holds autovacuum up' as remedy
        from pg_database where datname = current_database() and age(datfrozenxid) > $1::int8
        """
}
