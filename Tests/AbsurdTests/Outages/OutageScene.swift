import Absurd
import EphemeralPostgres
import Foundation
import InMemoryLogging
import LibPQ
import Logging
import TestSupport
import Testing

/// A server of the test's own behind a line that it can cut, with what the outage needs beside it.
final class OutageScene: Sendable {
    let server: EphemeralPostgres
    let proxies: [TCPProxy]
    let standby: EphemeralPostgres?
    /// Where the server's disk is mounted, for the outage that fills it.
    let disk: SmallDisk?
    private let folder: String

    private init(
        server: EphemeralPostgres, proxies: [TCPProxy], standby: EphemeralPostgres?, disk: SmallDisk?,
        folder: String
    ) {
        self.server = server
        self.proxies = proxies
        self.standby = standby
        self.disk = disk
        self.folder = folder
    }

    static func with(_ outage: Outage, _ body: (OutageScene) async throws -> Void) async throws {
        let folder = "/tmp/absurd-outage-\(UInt32.random(in: 0 ... .max))"
        let disk = outage == .diskFull ? try await SmallDisk.mount(at: folder + "/disk") : nil
        var options = EphemeralPostgres.replicated
        options.dataDirectory = disk.map { $0.path + "/data" }
        if outage == .full { options.maxConnections = 40 }
        if disk != nil { options.configuration += ["min_wal_size = 32MB", "max_wal_size = 48MB"] }
        let outcome: Result<Void, any Error>
        do {
            let server = try await EphemeralPostgres.start(options)
            try await withAbsurd(AbsurdConfiguration(server.connectionString), logger: .quiet) { client in
                try await client.migrate()
                try await client.createQueue("default")
            }
            let standby = outage.hasStandby ? try await server.startStandby(in: folder + "/standby") : nil
            let servers = [server, standby].compactMap(\.self)
            let proxies = try servers.map { try TCPProxy(to: $0.port) }
            let scene = OutageScene(
                server: server, proxies: proxies, standby: standby, disk: disk, folder: folder)
            do { outcome = .success(try await body(scene)) } catch { outcome = .failure(error) }
            for proxy in proxies { proxy.close() }
            try? await standby?.stop(.immediate)
            try? await server.stop(.immediate)
        } catch {
            await disk?.unmount()
            throw error
        }
        await disk?.unmount()
        try? FileManager.default.removeItem(atPath: folder)
        try outcome.get()
    }

    /// What the workers connect to.
    var connectionString: String {
        let hosts = proxies.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return "postgresql://postgres@\(hosts)/postgres"
            + (standby == nil ? "" : "?target_session_attrs=read-write&connect_timeout=2")
    }

    var attempts: Int { proxies.reduce(0) { $0 + $1.accepted } }

    /// The server that answers after the outage.
    private var survivor: EphemeralPostgres { standby ?? server }

    /// Asks the server past the line.
    func rows(_ sql: String, of server: EphemeralPostgres? = nil) async throws -> SQLRows {
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: (server ?? survivor).connectionString(over: .unixSocket)),
            logger: .quiet)
        do {
            let rows = try await connection.query(sql)
            await connection.close()
            return rows
        } catch {
            await connection.close()
            throw error
        }
    }

    func count(_ sql: String, of server: EphemeralPostgres? = nil) async throws -> Int {
        try await rows("select count(*) from \(sql)", of: server)[0].decode(0)
    }

    /// Waits until the server takes writes, as anybody would see who asks it all the time.
    func untilAccepting() async throws {
        try await eventually("the server takes writes again") {
            (try? await rows("select 1 where not pg_is_in_recovery()").isEmpty) == false
        }
    }
}
