import Foundation
import Testing

/// A private PgBouncer in transaction mode in front of a server.
///
/// It belongs to a shell whose standard input is a pipe from this process, so that it goes with the process, however
/// that ends.
package final class PgBouncer: Sendable {
    /// The variable that has the tests of workers go through a pooler.
    package static let variable = "ABSURD_TEST_POOLER"

    /// Whether the tests of workers go through a pooler.
    package static var isWanted: Bool { ProcessInfo.processInfo.environment[variable] == "1" }

    package let port: Int
    private let input: FileHandle

    /// Starts a pooler for the server behind this socket; it serves every database of it, and every user.
    ///
    /// - Throws: cancels the test where PgBouncer is not installed.
    package static func start(socketDirectory: String, port: Int) async throws -> PgBouncer {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(
            String.init)
        let program = (folders + ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])
            .map { "\($0)/pgbouncer" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let program else {
            guard !runsInCI else { throw PoolerFailure(description: "PgBouncer is not installed") }
            try Test.cancel("needs PgBouncer: run make setup")
        }
        let pooler = try PgBouncer(program, socketDirectory: socketDirectory, port: port)
        try await eventually("PgBouncer listens") {
            let descriptor = connectedSocket(to: pooler.port)
            if descriptor >= 0 { close(descriptor) }
            return descriptor >= 0
        }
        return pooler
    }

    private init(_ program: String, socketDirectory: String, port serverPort: Int) throws {
        let (descriptor, port) = try listeningSocket()
        close(descriptor)
        self.port = port
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", Self.script]
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "PGBOUNCER": program,
            "PGBOUNCER_USER": getuid() == 0 ? "postgres" : "",
            "SETTINGS": """
            [databases]
            * = host=\(socketDirectory) port=\(serverPort) user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 20
            max_client_conn = 1000
            """,
        ]
        let pipe = Pipe()
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        input = pipe.fileHandleForWriting
        // Servers and tools that are started later must not keep the pipe open.
        _ = fcntl(input.fileDescriptor, F_SETFD, FD_CLOEXEC)
        try process.run()
    }

    deinit { try? input.close() }

    /// The same database through the pooler.
    package func connectionString(database: String) -> String {
        "postgresql://postgres@127.0.0.1:\(port)/\(database)"
    }

    private static let script = #"""
        set -u
        work=$(mktemp -d /tmp/absurd-pooler.XXXXXX) || exit 1
        printf '%s\n' "$SETTINGS" >"$work/pgbouncer.ini"
        chmod -R a+rX "$work"
        "$PGBOUNCER" ${PGBOUNCER_USER:+-u "$PGBOUNCER_USER"} "$work/pgbouncer.ini" </dev/null &
        pooler=$!
        cat >/dev/null
        kill -s INT "$pooler" 2>/dev/null
        wait "$pooler" 2>/dev/null
        rm -rf "$work"
        """#
}

struct PoolerFailure: Error, CustomStringConvertible {
    var description: String
}
