import Absurd
import LibPQ

/// What stands between this program and the server, and what that lets through.
extension Doctor {
    func pooler(_ connection: PostgresConnection) async throws -> [Finding] {
        let first: Int32 = try await connection.query(Self.backend).value()
        // A pooler in transaction mode gives the server's session away between transactions. With one that another
        // connection keeps busy, ours has to go on in a second.
        let other = try await connect()
        let isMoved = try await closing(other) {
            try await other.withTransaction { held in
                let taken: Int32 = try await held.query(Self.backend).value()
                let second: Int32 = try await connection.query(Self.backend).value()
                return taken == first || second != first
            }
        }
        return Self.poolerFindings(announced: connection.backendPID, actual: first, isMoved: isMoved)
    }

    private static let backend = "select pg_backend_pid()"

    static func poolerFindings(announced: Int32, actual: Int32, isMoved: Bool) -> [Finding] {
        if isMoved {
            return [
                .warning(
                    "pooler", "a pooler in transaction mode: a session is another server process each time",
                    remedy:
                        "set listens of the configuration to false, and preparesStatements too before PgBouncer "
                        + "1.21; or connect workers to the server itself")
            ]
        }
        if announced != actual {
            return [.ok("pooler", "a pooler in session mode")]
        }
        return [.ok("pooler", "none is noticed")]
    }

    func listening(_ connection: PostgresConnection) async throws -> [Finding] {
        let listener = try await connect()
        let time: Duration? = try await closing(listener) {
            try await listener.listen(to: Self.channel)
            let start = ContinuousClock.now
            _ = try await connection.query("select pg_notify($1, '')", [.text(Self.channel)])
            let isHeard = await withTaskGroup(of: Bool.self) { group in
                group.addTask { await listener.notifications.first { _ in true } != nil }
                group.addTask {
                    // Cancelled when it is heard first.
                    try? await Task.sleep(for: .seconds(2))
                    return false
                }
                defer { group.cancelAll() }
                return await group.next() ?? false
            }
            return isHeard ? ContinuousClock.now - start : nil
        }
        return [Self.listenFinding(time)]
    }

    /// - Parameter time: How long a notification took; nil when it did not arrive.
    static func listenFinding(_ time: Duration?) -> Finding {
        guard let time else {
            return
                .warning(
                    "listen", "a notification did not arrive within two seconds",
                    remedy:
                        "set listens of the configuration to false, so that workers ask each pollInterval; or connect "
                        + "them to the server itself")
        }
        return .ok("listen", "a notification arrives in \(time.inMilliseconds)")
    }

    private static let channel = "absurd doctor"

    private func closing<Result>(
        _ connection: PostgresConnection, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body()
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }
}
