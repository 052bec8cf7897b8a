import Absurd
import AbsurdSupervisor
import ArgumentParser
import UnixSignals

struct SuperviseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise",
        abstract: "Keep processes of a command alive, such as workers.",
        discussion: """
            Starts the command in several processes and starts each again when it ends; what it had claimed goes back \
            at once. Says on standard error why each one ended.

              absurd supervise -n 4 -- ./my-worker

            SIGTERM and SIGINT (Ctrl-C) end it: the children get SIGTERM, with the second one once more, and the \
            third one kills them. SIGHUP replaces the children one after the other. SIGUSR1 and SIGUSR2 are passed on.
            """)

    @OptionGroup(title: "Children") var children: ChildOptions
    @OptionGroup(title: "Ends and restarts") var restarts: RestartOptions

    @Flag(
        name: .customLong("no-give-back"),
        help: "Leave the claims of dead children to others; no database is needed then.")
    var leavesClaims = false

    @OptionGroup var database: DatabaseOptions

    @Argument(parsing: .postTerminator, help: "After '--': the command, with its arguments.")
    var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else {
            throw ValidationError("There is no command; write it after '--', with its arguments.")
        }
    }

    func run() async throws {
        var configuration = database.configuration
        configuration.listens = false
        let client = leavesClaims ? nil : try AbsurdClient(configuration, logger: .silent)
        let supervisor = try ProcessSupervisor(
            command, options: options, client: client, logger: .silent
        ) { event in
            say(event.description.printable)
        }
        // From here on, before which a signal ends this process, which has no children yet.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup, .sigusr1, .sigusr2)
        let end = try await withThrowingTaskGroup(of: SupervisorEnd?.self) { group in
            group.addTask { try await supervisor.supervise() }
            group.addTask {
                await Self.obey(signals, supervisor)
                return nil
            }
            defer { group.cancelAll() }
            while let end = try await group.next() {
                if let end { return end }
            }
            return SupervisorEnd.stopped
        }
        await client?.close()
        if case .killed = end { throw ExitCode(Self.killedStatus) }
    }

    /// What shells report for a program that SIGKILL has ended.
    private static let killedStatus: Int32 = 137

    private static func obey(_ signals: UnixSignalsSequence, _ supervisor: ProcessSupervisor) async {
        var stops = 0
        for await signal in signals {
            switch signal {
            case .sighup: supervisor.roll()
            case .sigusr1: supervisor.forward(.user1)
            case .sigusr2: supervisor.forward(.user2)
            default:
                stops += 1
                switch stops {
                case 1: supervisor.stop()
                case 2: supervisor.hurry()
                default: supervisor.kill()
                }
            }
        }
    }

    private var options: SupervisorOptions {
        var options = SupervisorOptions()
        children.apply(to: &options)
        restarts.apply(to: &options)
        return options
    }
}

extension SupervisorError {
    /// As shells have it, where they know the error.
    var exitCode: Int32 {
        switch code {
        case .commandMissing: 127
        case .commandNotExecutable: 126
        case .invalidOption: 2
        default: 1
        }
    }
}
