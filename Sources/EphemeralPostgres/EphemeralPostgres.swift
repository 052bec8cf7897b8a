/// A private Postgres server, run from the binaries on this machine and gone without a trace afterwards.
///
/// The server belongs to a small supervisor, a shell whose standard input is a pipe from this process.
/// Whatever ends this process, a `SIGKILL` included, closes the pipe; the supervisor then stops the server
/// and removes its files. It runs in a session of its own, so that a Ctrl-C meant for this process does not
/// reach the server first. When this process runs as root, supervisor and server run as `postgres` or
/// `nobody`, because Postgres refuses to be root.
package final class EphemeralPostgres: Sendable {
    /// The superuser of the cluster.
    package static let user = "postgres"

    /// How a server is asked to stop.
    package enum StopMode: String, Sendable {
        /// Open connections are closed, running statements rolled back, everything is written to disk.
        case fast
        /// As in a crash: nothing is finished, the next start recovers from the log.
        case immediate
    }

    /// The private directory of the Unix socket, which is also libpq's `host`.
    package let socketDirectory: String
    /// The port, which is part of the socket's name also when TCP is off.
    package let port: Int
    /// The superuser's password; nil when the server asks for none.
    package let password: String?
    package let options: Options

    private let supervisor: Supervisor

    private init(options: Options, port: Int, password: String?, supervisor: Supervisor, directory: String) {
        self.options = options
        self.port = port
        self.password = password
        self.supervisor = supervisor
        self.socketDirectory = directory
    }

    /// Starts a server that lives until ``stop(_:)``, until the returned value is released or until this
    /// process ends, whichever comes first.
    ///
    /// Returns when the server accepts connections.
    ///
    /// - Throws: ``EphemeralPostgresError``, among others when the server's binaries are not installed; the
    ///   message then names the command that installs them.
    package static func start(_ options: Options = Options()) async throws -> EphemeralPostgres {
        let binaries = try await ServerBinaries.find(preferring: options.binaries)
        var attempt = 1
        while true {
            do {
                return try await StartGate.shared.during { try await start(options, binaries: binaries) }
            } catch let error as EphemeralPostgresError
                where error.code == .portTaken && options.tcp == .freePort && attempt < 5
            {
                // Somebody took the port between our choice and the server's bind.
                attempt += 1
            }
        }
    }

    private static func start(
        _ options: Options, binaries: ServerBinaries
    ) async throws -> EphemeralPostgres {
        let port = try options.choosePort()
        let password = options.effectivePassword
        let supervisor = Supervisor(
            try SupervisorSettings(options, binaries: binaries, port: port, password: password))
        let directory = try await supervisor.send("start")
        let server = EphemeralPostgres(
            options: options, port: port, password: password, supervisor: supervisor, directory: directory)
        guard !Task.isCancelled else {
            try await server.stop(.immediate)
            throw CancellationError()
        }
        return server
    }

    /// Lends a server to `body` and stops it afterwards, also when `body` throws or is cancelled.
    package static func withServer<Result>(
        _ options: Options = Options(), _ body: (EphemeralPostgres) async throws -> Result
    ) async throws -> Result {
        let server = try await start(options)
        let result: Result
        do {
            result = try await body(server)
        } catch {
            // The reason why the body failed says more than a failing stop would.
            _ = try? await server.stop()
            throw error
        }
        try await server.stop()
        return result
    }

    /// Stops the server for good and removes its files, except for a data directory of the caller's.
    ///
    /// Returns when everything is gone. Stopping twice is an error.
    package func stop(_ mode: StopMode = .fast) async throws {
        _ = try await supervisor.send("stop \(mode.rawValue)")
        await supervisor.ended()
    }

    /// Stops the server process but keeps its files, so that ``resume()`` can start it again.
    package func halt(_ mode: StopMode = .fast) async throws {
        _ = try await supervisor.send("halt \(mode.rawValue)")
    }

    /// Starts the server again after ``halt(_:)``, on the same socket and port.
    package func resume() async throws {
        _ = try await supervisor.send("start")
    }

    /// Stops and starts the server; its data, socket and port stay.
    package func restart(_ mode: StopMode = .fast) async throws {
        try await halt(mode)
        try await resume()
    }
}
