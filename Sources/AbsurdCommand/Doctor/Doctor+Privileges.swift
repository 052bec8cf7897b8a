import Absurd
import LibPQ

/// What the role of the connection may do, from the catalog.
extension Doctor {
    func privileges(_ connection: PostgresConnection) async throws -> [Finding] {
        // With roles nobody but the owner has rights on the tables, and granting them would open the fence.
        if try await hasRoles(connection) { return [try await roleFinding(connection)] }
        let found = try await findings("privileges", connection, Self.lacking)
        return found.isEmpty ? [.ok("privileges", "enough for clients and workers")] : found
    }

    /// Whether the script of `absurd schema --roles` was executed here.
    private func hasRoles(_ connection: PostgresConnection) async throws -> Bool {
        try await connection.query(
            """
            select exists (
              select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'absurd_swift' and p.proname = 'spawn' and p.prosecdef)
            """
        ).value()
    }

    private func roleFinding(_ connection: PostgresConnection) async throws -> Finding {
        let rows = try await connection.query(Self.heldRoles)
        let roles = try rows.map { row in
            (name: try row.decode("role", as: String.self), isHeld: try row.decode("is_held", as: Bool.self))
        }
        let role: String = try await connection.query("select quote_ident(current_user)").value()
        return Self.roleFinding(role, roles)
    }

    /// - Parameter roles: Those that the database has, and whether all that they may do is granted to `role`.
    static func roleFinding(_ role: String, _ roles: [(name: String, isHeld: Bool)]) -> Finding {
        let held = roles.filter { $0.isHeld }.map { role in
            let name = role.name.replacing("absurd_", with: "", maxReplacements: 1)
            return (name.hasPrefix("o") ? "an " : "a ") + name
        }
        guard let last = held.last else {
            return .failed(
                "privileges",
                "the role \(role) is in none of the roles that may call the functions: "
                    + roles.map { $0.name }.joined(separator: ", "),
                remedy: "GRANT absurd_worker TO \(role), or another of them")
        }
        let others = held.dropLast().joined(separator: ", ")
        return .ok("privileges", "enough for " + (others.isEmpty ? last : "\(others) and \(last)"))
    }

    private static let heldRoles = """
        with functions as (
          select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where n.nspname in ('absurd', 'absurd_swift') and p.prosecdef and p.proname not like '%:%'
        ),
        tables as (
          select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('absurd', 'absurd_swift') and c.relkind in ('r', 'p') and not c.relispartition
        )
        select r.rolname::text as role,
          not exists (
            select from pg_namespace n
            where n.nspname in ('absurd', 'absurd_swift') and not has_schema_privilege(n.oid, 'USAGE'))
          and exists (select from functions f where has_function_privilege(r.oid, f.oid, 'EXECUTE'))
          and not exists (
            select from functions f
            where has_function_privilege(r.oid, f.oid, 'EXECUTE') and not has_function_privilege(f.oid, 'EXECUTE'))
          and not exists (
            select from tables t
            where has_table_privilege(r.oid, t.oid, 'SELECT') and not has_table_privilege(t.oid, 'SELECT')) as is_held
        from unnest(array['producer', 'worker', 'supervisor', 'operator', 'viewer']) with ordinality x(name, position)
        join pg_roles r on r.rolname = 'absurd_' || x.name
        order by x.position
        """

    private static let lacking = """
        select 'failed' as status,
          format('the role %I may not use the schema %I', current_user, n.nspname) as text,
          format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user) as remedy
        from pg_namespace n
        where n.nspname in ('absurd', 'absurd_swift') and not has_schema_privilege(n.oid, 'USAGE')
        union all
        select 'failed',
          format('the role %I may not call %s functions of the schema %I', current_user, count(*), n.nspname),
          format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', n.nspname, current_user)
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('absurd', 'absurd_swift') and not has_function_privilege(p.oid, 'EXECUTE')
        group by n.nspname
        union all
        select 'failed',
          format('the role %I lacks privileges on %s tables of the schema %I, such as %I', current_user,
            count(*), n.nspname, min(c.relname)),
          format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', n.nspname,
            current_user)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('absurd', 'absurd_swift') and c.relkind in ('r', 'p') and not c.relispartition
          and not (has_table_privilege(c.oid, 'SELECT') and has_table_privilege(c.oid, 'INSERT')
            and has_table_privilege(c.oid, 'UPDATE') and has_table_privilege(c.oid, 'DELETE'))
        group by n.nspname
        """
}
