import EphemeralPostgres
import Foundation
import TestSupport
import Testing

@testable import LibPQ

/// Passwords, TLS, several hosts: what needs servers of its own.
@Suite(.timeLimit(.minutes(10)))
struct ConnectingToServersTests {
    @Test func `passwords, several hosts and service files work as libpq has them`() async throws {
        try await PrivateServer.with {
            $0.authentication = .scramSHA256
            $0.password = "hunter2"
        } _: { server in
            try await aWrongPasswordIsRefused(server)
            try await aMissingPasswordIsNoOutage(server)
            try await aMissingDatabaseHasItsState(server)
            try await aRefusingHostIsPassedOver(server)
            try await aSilentHostIsPassedOver(server)
            try await aHostThatAcceptsAndSaysNothingIsPassedOver(server)
            try await aHostThatHangsUpIsPassedOver(server)
            try await aSilentHostIsTriedLastAfterwards(server)
            try await aServiceFileIsRead(server)
            try await keepAlivesAreSetUnlessTheUserSaysOtherwise(server)
        }
    }

    @Test func `TLS works as libpq has it`() async throws {
        try requireOpenSSL()
        try await PrivateServer.with {
            $0.authentication = .scramSHA256
            $0.password = "hunter2"
            $0.offersTLS = true
        } _: { server in
            try await encryption(server)
            try await aDeadlineOrCancellationWorksOverTLS(server)
        }
    }

    private func aWrongPasswordIsRefused(_ server: PrivateServer) async throws {
        let error = try await PrivateServer.failure(connectingTo: server.keywords("password=swordfish"))
        #expect(error?.code == .connectionFailed)
        #expect(error?.sqlState == "28P01")
        #expect(error?.message.contains("password authentication failed") == true)
        #expect(error?.isTransientConnectionFailure == false)
        #expect(!String(reflecting: error).contains("swordfish"))

        var configuration = PostgresConfiguration(connectionString: server.keywords("password=swordfish"))
        configuration.maxConnections = 2
        let pool = PostgresPool(configuration: configuration, logger: .quiet)
        let refusal = await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
        #expect(refusal?.sqlState == "28P01")
        await pool.close()
    }

    private func aMissingPasswordIsNoOutage(_ server: PrivateServer) async throws {
        let error = try await PrivateServer.failure(connectingTo: server.keywords("password=''"))
        #expect(error?.code == .passwordMissing)
        #expect(error?.sqlState == nil)
        #expect(error?.isTransientConnectionFailure == false)
    }

    private func aMissingDatabaseHasItsState(_ server: PrivateServer) async throws {
        let error = try await PrivateServer.failure(connectingTo: server.keywords("dbname=missing"))
        #expect(error?.sqlState == "3D000")
        #expect(error?.description.contains("LOCATION") == false)
        let target = ConnectionTarget(
            host: "127.0.0.1", port: "\(server.process.port)", user: "postgres", database: "missing")
        #expect(error?.target == target)
        // Shown, it would tell the password.
        let telling = try await PrivateServer.failure(
            connectingTo: server.keywords("dbname=on-hunter2-off"))
        #expect(telling?.sqlState == "3D000")
        #expect(telling?.target == nil)
    }

    private func encryption(_ server: PrivateServer) async throws {
        let authority = "sslmode=verify-ca sslrootcert=\(server.process.certificate)"
        for (more, isEncrypted) in [("sslmode=disable", false), ("sslmode=require", true), (authority, true)]
        {
            let connection = try await server.connect(more)
            let rows = try await connection.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            #expect(try rows.first?.decode(0) == isEncrypted)
            let text = String(repeating: "x", count: 3_000_000)
            #expect(try await connection.query("select $1::text", [.text(text)]).first?.decode(0) == text)
            await connection.close()
        }
    }

    private func aRefusingHostIsPassedOver(_ server: PrivateServer) async throws {
        let closed = try RefusingPort()
        let connection = try await server.connect(
            "host=127.0.0.1,127.0.0.1 port=\(closed.number),\(server.process.port) target_session_attrs=read-write connect_timeout=20"
        )
        #expect(try await connection.query("select 1").count == 1)
        await connection.close()
        let error = try await PrivateServer.failure(
            connectingTo: server.keywords(
                "host=127.0.0.1,127.0.0.1 port=\(closed.number),\(server.process.port) target_session_attrs=standby"
            )
        )
        #expect(error?.code == .connectionFailed)
        withExtendedLifetime(closed) {}
    }

    private func aSilentHostIsPassedOver(_ server: PrivateServer) async throws {
        let full = try SilentListener(isFull: true)
        defer { withExtendedLifetime(full) {} }
        let connection = try await server.connect(
            "host=127.0.0.1,127.0.0.1 port=\(full.port),\(server.process.port) connect_timeout=4")
        #expect(try await connection.query("select 1").count == 1)
        await connection.close()
    }

    private func aHostThatAcceptsAndSaysNothingIsPassedOver(_ server: PrivateServer) async throws {
        // Each takes one connection, so each attempt needs new ones.
        for (count, more) in [(2, ""), (1, "sslmode=disable")] {
            let silent = try (0..<count).map { _ in try SilentListener(isFull: false) }
            defer { withExtendedLifetime(silent) {} }
            let connection = try await server.connect(hosts(silent, server) + more)
            #expect(try await connection.query("select 1").count == 1)
            await connection.close()
        }
        let silent = try SilentListener(isFull: false)
        defer { withExtendedLifetime(silent) {} }
        let error = try await PrivateServer.failure(
            connectingTo: server.keywords(hosts([silent], server) + "password=swordfish"))
        #expect(error?.sqlState == "28P01")
        let says = "port \(silent.port) failed: no answer in time"
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    }

    private func hosts(_ silent: [SilentListener], _ server: PrivateServer) -> String {
        let ports = silent.map(\.port) + [server.process.port]
        let names = ports.map { _ in "127.0.0.1" }.joined(separator: ",")
        return "host=\(names) port=\(ports.map(String.init).joined(separator: ",")) connect_timeout=5 "
    }

    private func aHostThatHangsUpIsPassedOver(_ server: PrivateServer) async throws {
        let proxy = try TCPProxy(to: server.process.port)
        defer { proxy.close() }
        proxy.become(.cut)
        let refusing = try RefusingPort()
        defer { withExtendedLifetime(refusing) {} }
        let ports = "\(refusing.number),\(proxy.port),\(server.process.port)"
        let connection = try await server.connect(
            "host=127.0.0.1,127.0.0.1,127.0.0.1 port=\(ports) connect_timeout=20")
        #expect(try await connection.query("select 1").count == 1)
        await connection.close()
        // All of them are in the message, once.
        let error = try await PrivateServer.failure(
            connectingTo: "host=127.0.0.1,127.0.0.1 port=\(proxy.port),\(refusing.number)")
        #expect(error?.message.split(separator: "\n").count { $0.contains("port \(refusing.number)") } == 1)
        #expect(error?.message.contains("port \(proxy.port)") == true)
    }

    private func aSilentHostIsTriedLastAfterwards(_ server: PrivateServer) async throws {
        let silent = try SilentListener(isFull: false)
        defer { withExtendedLifetime(silent) {} }
        let hosts = "host=127.0.0.1,127.0.0.1 port=\(silent.port),\(server.process.port)"
        var configuration = PostgresConfiguration(
            connectionString: server.keywords("\(hosts) target_session_attrs=read-write"))
        configuration.connectTimeout = .seconds(20)
        for number in 1...2 {
            let start = ContinuousClock.now
            let connection = try await PostgresConnection.connect(configuration, logger: .quiet)
            // The silent one has half of the time.
            #expect((.now - start > .seconds(9)) == (number == 1))
            await connection.close()
        }
    }

    private func aServiceFileIsRead(_ server: PrivateServer) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "service-\(UUID().uuidString)")
        let lines = server.keywords().split(separator: " ").joined(separator: "\n")
        try Data("[mine]\n\(lines)\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        // libpq takes the file's name from the environment, which a process must not change while others
        // read it: in a process of its own.
        await #expect(processExitsWith: .success) { [path = file.path as String] in
            setenv("PGSERVICEFILE", path, 1)
            let connection = try await PostgresConnection.connect(
                PostgresConfiguration(connectionString: "service=mine"), logger: .quiet)
            _ = try await connection.query("select 1")
        }
    }

    private func aDeadlineOrCancellationWorksOverTLS(_ server: PrivateServer) async throws {
        let connection = try await server.connect("sslmode=require")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.query("select pg_sleep(60)", timeout: .milliseconds(50))
        }
        #expect(error?.code == .timedOut)
        #expect(try await connection.query("select 1").count == 1)
        await connection.close()
    }

    private func keepAlivesAreSetUnlessTheUserSaysOtherwise(_ server: PrivateServer) async throws {
        for (more, seconds) in [("", 15), ("keepalives_idle=77", 77)] {
            let connection = try await server.connect(more)
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            #if canImport(Darwin)
            getsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_KEEPALIVE, &value, &length)
            #else
            getsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &value, &length)
            #endif
            #expect(value == seconds)
            await connection.close()
        }
    }

    @Test func `a server that does not answer is given up in time`() async throws {
        let silent = try SilentListener(isFull: false)
        defer { withExtendedLifetime(silent) {} }
        let error = try await PrivateServer.failure(
            connectingTo: "host=127.0.0.1 port=\(silent.port) password=hunter2", within: .milliseconds(100))
        #expect(error?.code == .connectionFailed)
        #expect(error?.description.contains("timed out") == true)
        #expect(!String(reflecting: error).contains("hunter2"))
    }

    @Test func `connecting ends with its task`() async throws {
        let silent = try SilentListener(isFull: false)
        defer { withExtendedLifetime(silent) {} }
        let error = try await withThrowingTaskGroup(of: PostgresError?.self) { group in
            group.addTask {
                try await PrivateServer.failure(
                    connectingTo: "host=127.0.0.1 port=\(silent.port)", within: .seconds(60))
            }
            group.cancelAll()
            return try await group.next() ?? nil
        }
        #expect(error?.code == .cancelled)
    }

    @Test func `a pool that cannot connect tries again and says why in the end`() async throws {
        let closed = try RefusingPort()
        var configuration = PostgresConfiguration(connectionString: "host=127.0.0.1 port=\(closed.number)")
        configuration.acquireTimeout = .seconds(20)
        let pool = PostgresPool(configuration: configuration, logger: .quiet)
        let errors = await withTaskGroup(of: PostgresError?.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for error in errors {
            #expect(error?.code == .poolTimedOut)
            #expect((error?.underlying as? PostgresError)?.code == .connectionFailed)
        }
        #expect(pool.counts == (open: 0, idle: 0, inUse: 0, waiting: 0))
        await pool.close()
        withExtendedLifetime(closed) {}
    }
}
