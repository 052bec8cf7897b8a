import Absurd
import ArgumentParser
import EphemeralPostgres
import Foundation
import UnixSignals

struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Keep a private Postgres running, ready for workers.",
        discussion: """
            Starts a server from the Postgres binaries on this machine, reachable through a Unix socket only, with \
            the schemas installed, and prints its connection string. Ctrl-C stops it; without --data everything in \
            it goes too.

            With a command, runs the command with ABSURD_DATABASE_URL set instead, and ends with its exit status:

              absurd dev --queue orders -- swift run Worker
            """)

    @Option(
        name: [.short, .long], help: ArgumentHelp("Create this queue. Can be repeated.", valueName: "name"))
    var queue: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Keep the data in this folder, made if it is missing.", valueName: "folder"))
    var data: String?

    @OptionGroup var output: OutputOptions

    @Argument(parsing: .postTerminator, help: "After '--': a command to run, with its arguments.")
    var command: [String] = []

    func run() async throws {
        try checkData()
        if !command.isEmpty { try await ChildCommand(words: command).checkExists() }
        var options = EphemeralPostgres.Options()
        options.dataDirectory = dataDirectory
        options.isDurable = data != nil
        let status = try await EphemeralPostgres.withServer(options) { server in
            let database = try await DevDatabase.prepare(on: server, queues: queue)
            // From here on, before which a signal ends this process, and its server with it.
            let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
            if command.isEmpty {
                try announce(database, on: server)
                return try await untilStopped(server, signals)
            }
            let child = ChildCommand(words: command, environment: ["ABSURD_DATABASE_URL": database.url])
            return try await child.run(passingOn: signals, using: server)
        }
        if status != 0 { throw ExitCode(status) }
    }

    static let serverGone = "the private Postgres has ended by itself; start it again with 'absurd dev'"

    /// Waits for a signal; the server may end before one comes.
    private func untilStopped(
        _ server: EphemeralPostgres, _ signals: UnixSignalsSequence
    ) async throws -> Int32 {
        try await withThrowingTaskGroup(of: Int32.self) { group in
            group.addTask {
                for await _ in signals { break }
                return 0
            }
            group.addTask {
                try await server.untilGone()
                say("error: \(Self.serverGone)")
                return 1
            }
            defer { group.cancelAll() }
            return try await group.next() ?? 0
        }
    }

    /// Absolute, for whoever reads it elsewhere.
    private var dataDirectory: String? { data.map { URL(filePath: $0).standardizedFileURL.path } }

    private func checkData() throws {
        guard let data else { return }
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: data, isDirectory: &isFolder), !isFolder.boolValue {
            throw AbsurdError.invalidArgument("'\(data.printable)' is no folder; name one for --data")
        }
    }

    private func announce(_ database: DevDatabase, on server: EphemeralPostgres) throws {
        guard !output.json else {
            try show(database.json(dataDirectory: dataDirectory).text)
            return
        }
        say("A private Postgres is running, with the schemas absurd and absurd_swift.")
        for queue in queue { say("Queue '\(queue.printable)' is there.") }
        say(dataDirectory.map { "Its data stays in \($0)." } ?? "Its data goes when it stops.")
        say("Stop it with Ctrl-C. For the shell of your program:")
        try show("export ABSURD_DATABASE_URL='\(database.url)'")
    }
}
