import EphemeralPostgres
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ServerLifetimeTests {
    @Test func `a server answers on its socket and leaves nothing behind`() async throws {
        let server = try await EphemeralPostgres.start()
        let process = try serverProcess(of: server)
        try await expectAnswer("42", to: "select 6 * 7", at: server.connectionString)
        try await expectAnswer("off", to: "show fsync", at: server.connectionString)
        try await expectAnswer("", to: "show listen_addresses", at: server.connectionString)
        try await expectAnswer("UTF8", to: "show server_encoding", at: server.connectionString)

        try await server.stop()
        #expect(!FileManager.default.fileExists(atPath: server.socketDirectory))
        #expect(!isAlive(process))
        await #expect(throws: EphemeralPostgresError.self) { try await server.stop() }
    }

    @Test func `only its owner may enter the socket's directory`() async throws {
        try await EphemeralPostgres.withServer { server in
            let attributes = try FileManager.default.attributesOfItem(atPath: server.socketDirectory)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o700)
        }
    }

    @Test func `the server goes when its scope ends with an error`() async throws {
        struct Oops: Error {}
        var directory = ""
        await #expect(throws: Oops.self) {
            try await EphemeralPostgres.withServer { server in
                directory = server.socketDirectory
                throw Oops()
            }
        }
        #expect(directory != "")
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func `the server goes when its handle is released`() async throws {
        let directory = try await EphemeralPostgres.start().socketDirectory
        #expect(try await eventually { !FileManager.default.fileExists(atPath: directory) })
    }

    @Test func `several servers run beside each other`() async throws {
        async let one = EphemeralPostgres.start()
        async let two = EphemeralPostgres.start()
        let servers = try await [one, two]
        #expect(servers[0].socketDirectory != servers[1].socketDirectory)
        for (index, server) in servers.enumerated() {
            _ = try await psql(server.connectionString, "create table only_here_\(index) ()")
        }
        for (index, server) in servers.enumerated() {
            let tables = try await psql(
                server.connectionString, "select relname from pg_class where relname like 'only_here_%'")
            #expect(tables == "only_here_\(index)")
        }
        for server in servers { try await server.stop(.immediate) }
    }

    @Test func `committed rows survive a crash of the server and its start afterwards`() async throws {
        try await EphemeralPostgres.withServer { server in
            _ = try await psql(server.connectionString, "create table t as select generate_series(1, 1000)")
            try await server.halt(.immediate)
            await #expect(throws: (any Error).self) {
                _ = try await psql(server.connectionString, "select 1")
            }
            try await server.resume()
            try await expectAnswer("1000", to: "select count(*) from t", at: server.connectionString)
            try await server.restart()
            try await expectAnswer("1000", to: "select count(*) from t", at: server.connectionString)
            await #expect(throws: EphemeralPostgresError.self) { try await server.resume() }
            let log = try server.log()
            #expect(log.contains("not properly shut down"))
        }
    }

    @Test func `a server that was killed can be started again and leaves no shared memory`() async throws {
        let server = try await EphemeralPostgres.start()
        let segment = try #require(try lockFile(of: server)[6].split(separator: " ").last)
        kill(try serverProcess(of: server), SIGKILL)
        try await server.stop()
        #expect(!FileManager.default.fileExists(atPath: server.socketDirectory))
        let segments = (try? String(contentsOfFile: "/proc/sysvipc/shm", encoding: .utf8)) ?? ""
        #expect(
            !segments.split(separator: "\n").contains {
                $0.split(separator: " ").dropFirst().first == segment
            })
    }
}
