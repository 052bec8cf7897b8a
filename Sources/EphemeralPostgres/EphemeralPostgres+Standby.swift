import Foundation
import Subprocess

extension EphemeralPostgres {
    /// The options of a server that ``startStandby(in:)`` can copy.
    package static var replicated: Options {
        var options = Options()
        options.tcp = .freePort
        options.authentication = .trust
        options.accessRules = ["local replication all trust"]
        options.configuration = ["wal_level = replica", "max_wal_senders = 4"]
        return options
    }

    /// Starts a streaming standby of this server, which answers reading statements.
    ///
    /// The server's options must be those of ``replicated``, or more. Both servers belong to this process, so the
    /// machine's own crash is nothing that the standby helps against: it is for trying a failover.
    ///
    /// - Parameter dataDirectory: empty or missing; the caller removes it afterwards.
    package func startStandby(in dataDirectory: String) async throws -> EphemeralPostgres {
        let account = try ServerAccount.forServer(dataDirectory: nil)
        try SupervisorSettings.makeDataDirectory(dataDirectory, for: account)
        let binaries = try await ServerBinaries.find(preferring: options.binaries)
        let searchPath = ShellCommand.searchPath(extending: ProcessInfo.processInfo.environment["PATH"])
        let command = try ShellCommand(script: #"chmod 0700 "$TARGET" && exec $BASE_BACKUP"#, as: account) {
            program in
            searchPath.split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
            }
        }
        // A folder of links to the server's programs may lack this one, which stands beside their targets.
        let postgres = URL(filePath: binaries.folder + "/postgres").resolvingSymlinksInPath()
        let backup =
            "\(postgres.deletingLastPathComponent().path)/pg_basebackup -D \(dataDirectory) -h \(socketDirectory) -p \(port) "
            + "-U \(Self.user) -X stream -R -c fast --no-sync"
        let result = try await run(
            .name(command.program), arguments: Arguments(command.arguments),
            environment: .inherit.updating([
                "BASE_BACKUP": backup, "TARGET": dataDirectory, "PATH": searchPath, "LC_ALL": "C",
            ]),
            output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else {
            throw EphemeralPostgresError(
                code: .serverFailed,
                message: "pg_basebackup could not copy the server: \(result.standardError)")
        }
        var standby = options
        standby.dataDirectory = dataDirectory
        return try await .start(standby)
    }
}
