import Absurd
import LibPQ

/// The schemas, by the catalog only: a role without privileges can read that too.
extension Doctor {
    func schema(_ connection: PostgresConnection) async throws -> [Finding] {
        let rows = try await connection.query(
            """
            select n.nspname::text as schema, p.proname::text as function
            from pg_namespace n left join pg_proc p on p.pronamespace = n.oid
            where n.nspname in ('absurd', 'absurd_swift')
            """)
        var installed: [String: Set<String>] = [:]
        for row in rows {
            let function: String? = try row.decode("function")
            installed[try row.decode("schema"), default: []].formUnion(function.map { [$0] } ?? [])
        }
        let remedy = "absurd migrate"
        for name in ["absurd", "absurd_swift"] where installed[name, default: []].isEmpty {
            return [.failed("schema", "the database has no schema '\(name)'", remedy: remedy)]
        }
        let missing = Self.functions.subtracting(installed["absurd_swift", default: []]).sorted()
        guard missing.isEmpty else {
            let names = missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", …" : "")
            return [
                .failed(
                    "schema", "the schema 'absurd_swift' lacks \(missing.count) functions: \(names)",
                    remedy: remedy)
            ]
        }
        return try await versions(connection)
    }

    /// The functions that this program's schema has.
    static let functions: Set<String> = {
        let start = "create or replace function absurd_swift."
        var names: Set<String> = []
        for line in AbsurdSchema.sql(.extension).split(separator: "\n") where line.hasPrefix(start) {
            names.insert(String(line.dropFirst(start.count).prefix { $0 != "(" }))
        }
        return names
    }()

    private func versions(_ connection: PostgresConnection) async throws -> [Finding] {
        // Read from the catalog, since the role may not be allowed to call anything.
        let rows = try await connection.query(
            """
            select n.nspname::text as schema, substring(p.prosrc from '''([^'']+)''') as version
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname in ('absurd', 'absurd_swift') and p.proname = 'get_schema_version'
            """)
        var versions: [String: String] = [:]
        for row in rows {
            versions[try row.decode("schema")] = try row.decode("version", as: String?.self) ?? "unknown"
        }
        let base = versions["absurd"] ?? "unknown"
        let version = versions["absurd_swift"] ?? "unknown"
        let text =
            "schema absurd \(base), schema absurd_swift \(version), this program \(AbsurdTool.version)"
        if isOlder(version, than: AbsurdTool.version) {
            return [.failed("schema", text, remedy: "absurd migrate")]
        }
        if isOlder(AbsurdTool.version, than: version) {
            return [.warning("schema", text, remedy: "upgrade this program, and workers of its age")]
        }
        if !base.hasPrefix("swift-"), isOlder(base, than: "0.5") {
            return [.failed("schema", text, remedy: "absurdctl migrate, then absurd migrate")]
        }
        return [.ok("schema", text)]
    }

    private func isOlder(_ version: String, than other: String) -> Bool {
        func numbers(_ text: String) -> [Int] { text.split(separator: ".").map { Int($0) ?? 0 } }
        return numbers(version).lexicographicallyPrecedes(numbers(other))
    }
}
