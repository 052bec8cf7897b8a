import EphemeralPostgres
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ServerOptionsTests {
    @Test func `a server with TCP asks for the password it made up`() async throws {
        var options = EphemeralPostgres.Options()
        options.tcp = .freePort
        try await EphemeralPostgres.withServer(options) { server in
            #expect(server.connectionString.contains("@127.0.0.1:\(server.port)/postgres"))
            try await expectAnswer("postgres", to: "select current_user", at: server.connectionString)
            let socket = server.connectionString(over: .unixSocket)
            try await expectAnswer("t", to: "select inet_server_port() is null", at: socket)
            let failure = await #expect(throws: PSQLFailure.self) {
                _ = try await psql(server.connectionString(user: "postgres", password: "guess"), "select 1")
            }
            #expect(failure?.text.contains("password authentication failed") == true)
        }
    }

    @Test(arguments: [EphemeralPostgres.Authentication.md5, .password, .scramSHA256])
    func `the method and the password are the caller's to choose`(
        _ method: EphemeralPostgres.Authentication
    ) async throws {
        var options = EphemeralPostgres.Options()
        options.authentication = method
        options.password = "it's ü & 50%"
        try await EphemeralPostgres.withServer(options) { server in
            try await expectAnswer("1", to: "select 1", at: server.connectionString)
            await #expect(throws: PSQLFailure.self) {
                _ = try await psql(server.connectionString(user: "postgres", password: "x"), "select 1")
            }
        }
    }

    @Test func `TLS can be verified with the server's certificate`() async throws {
        try requireOpenSSL()
        var options = EphemeralPostgres.Options()
        options.tcp = .freePort
        options.offersTLS = true
        try await EphemeralPostgres.withServer(options) { server in
            let verified =
                server.connectionString
                + "?sslmode=verify-full&sslrootcert=\(server.certificate)"
            try await expectAnswer(
                "t", to: "select ssl from pg_stat_ssl where pid = pg_backend_pid()", at: verified)
        }
    }

    @Test func `own lines of configuration and access rules win over ours`() async throws {
        var options = EphemeralPostgres.Options()
        options.configuration = ["work_mem = '5MB'", "fsync = on"]
        options.accessRules = ["local all nobody_special reject"]
        options.maxConnections = 37
        try await EphemeralPostgres.withServer(options) { server in
            try await expectAnswer("5MB", to: "show work_mem", at: server.connectionString)
            try await expectAnswer("on", to: "show fsync", at: server.connectionString)
            try await expectAnswer("37", to: "show max_connections", at: server.connectionString)
            _ = try await psql(server.connectionString, "create role nobody_special login")
            let failure = await #expect(throws: PSQLFailure.self) {
                _ = try await psql(server.connectionString(user: "nobody_special"), "select 1")
            }
            #expect(failure?.text.contains("rejects connection") == true)
        }
    }

    @Test func `a data directory of the caller's is kept and used again`() async throws {
        let parent = URL.temporaryDirectory.appending(path: "it's data \(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: parent) }  // may not exist if the test failed early
        var options = EphemeralPostgres.Options()
        options.isDurable = true
        options.dataDirectory = parent.path
        try await EphemeralPostgres.withServer(options) { server in
            try await expectAnswer("on", to: "show fsync", at: server.connectionString)
            _ = try await psql(server.connectionString, "create table kept ()")
        }
        try await EphemeralPostgres.withServer(options) { server in
            try await expectAnswer("0", to: "select count(*) from kept", at: server.connectionString)
        }
    }

    @Test func `a server that cannot start says what it logged`() async throws {
        var options = EphemeralPostgres.Options()
        options.configuration = ["work_mem = 'much'"]
        let error = await #expect(throws: EphemeralPostgresError.self) {
            _ = try await EphemeralPostgres.start(options)
        }
        #expect(error?.code == .serverFailed)
        #expect(error?.message.contains("invalid value for parameter \"work_mem\"") == true)
    }

    @Test func `a port in use is named as the reason`() async throws {
        var options = EphemeralPostgres.Options()
        options.tcp = .freePort
        try await EphemeralPostgres.withServer(options) { server in
            options.tcp = .port(server.port)
            let error = await #expect(throws: EphemeralPostgresError.self) {
                _ = try await EphemeralPostgres.start(options)
            }
            #expect(error?.code == .portTaken)
        }
    }
}
