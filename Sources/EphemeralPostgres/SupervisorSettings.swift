import Foundation
import Subprocess

/// Everything the supervisor's shell is told, which is told through its environment.
struct SupervisorSettings: Sendable {
    private var variables: [String: String]
    private var account: ServerAccount?

    init(
        _ options: EphemeralPostgres.Options, binaries: ServerBinaries, port: Int, password: String?
    ) throws {
        let dataDirectory = options.dataDirectory.map { URL(filePath: $0).standardizedFileURL.path }
        account = try ServerAccount.forServer(dataDirectory: dataDirectory)
        if let dataDirectory, let account {
            try Self.makeDataDirectory(dataDirectory, for: account)
        }
        variables = [
            "SERVER_BIN": binaries.folder,
            "SERVER_DATA": dataDirectory ?? "",
            "SERVER_USER": EphemeralPostgres.user,
            "SERVER_PASSWORD": password ?? "",
            "SERVER_AUTHENTICATION": options.effectiveAuthentication.rawValue,
            "SERVER_CONFIGURATION": Self.configuration(options, port: port),
            "SERVER_ACCESS": Self.accessRules(options),
            "SERVER_TLS": options.offersTLS ? "yes" : "",
            "SERVER_START_SECONDS": String(options.startTimeout.components.seconds),
            "TEMPORARY_FOLDER": ProcessInfo.processInfo.environment["TMPDIR"] ?? "",
        ]
    }

    func configuration() throws -> Configuration {
        let inherited = ProcessInfo.processInfo.environment
        let searchPath = ShellCommand.searchPath(extending: inherited["PATH"])
        // In a variable, because as an argument the whole script would fill the list of processes.
        let command = try ShellCommand(script: #"eval "$SUPERVISOR_SCRIPT""#, as: account) { program in
            searchPath.split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
            }
        }

        var changes: [Environment.Key: String?] = [
            "HOME": "/", "LC_ALL": "C", "PATH": searchPath, "SUPERVISOR_SCRIPT": supervisorScript,
        ]
        // Of the caller's environment, what would make server programs look elsewhere is taken out.
        for name in ["PGDATA", "PGDATABASE", "PGHOST", "PGOPTIONS", "PGPORT", "PGTZ", "PGUSER"] {
            if let key = Environment.Key(rawValue: name) { changes[key] = .some(nil) }
        }
        for (name, value) in variables {
            if let key = Environment.Key(rawValue: name) { changes[key] = value }
        }
        var platform = PlatformOptions()
        platform.createSession = true
        return Configuration(
            executable: .name(command.program),
            arguments: Arguments(command.arguments),
            environment: .inherit.updating(changes),
            platformOptions: platform
        )
    }

    private static func configuration(_ options: EphemeralPostgres.Options, port: Int) -> String {
        var lines = [
            "listen_addresses = '\(options.tcp == .off ? "" : "127.0.0.1")'",
            "port = \(port)",
            "max_connections = \(options.maxConnections)",
            // Files in the data directory instead of segments that outlive a killed server.
            "dynamic_shared_memory_type = mmap",
            "logging_collector = off",
            "log_destination = stderr",
            "log_line_prefix = '%m [%p] '",
        ]
        if !options.isDurable {
            // synchronous_commit stays on: with it, what was committed survives a crash of the server.
            lines += ["fsync = off", "full_page_writes = off"]
        }
        return (lines + options.configuration).joined(separator: "\n")
    }

    private static func accessRules(_ options: EphemeralPostgres.Options) -> String {
        let method = options.effectiveAuthentication.rawValue
        let ours = ["local all all \(method)", "host all all 127.0.0.1/32 \(method)"]
        return (options.accessRules + ours).joined(separator: "\n")
    }

    /// Makes the folder and gives it to the server's user, who could not make one inside a folder of root's.
    static func makeDataDirectory(_ directory: String, for account: ServerAccount?) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
        guard let account else { return }
        try manager.setAttributes(
            [
                .ownerAccountID: NSNumber(value: account.userID),
                .groupOwnerAccountID: NSNumber(value: account.groupID),
            ], ofItemAtPath: directory)
    }
}
