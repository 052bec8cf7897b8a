import Absurd
import ArgumentParser

/// The command `absurd`.
@main
struct AbsurdTool: AsyncParsableCommand {
    static let version = AbsurdSchema.libraryVersion

    static let configuration = CommandConfiguration(
        commandName: "absurd",
        abstract: "Durable workflows on Postgres: set up a database, look into its queues and operate them.",
        discussion: """
            The database is the one of --database, else of ABSURD_DATABASE_URL, else of PGHOST, PGDATABASE and the \
            other variables of Postgres, else the database 'absurd' on localhost.
            """,
        version: version,
        groupedSubcommands: [
            CommandGroup(
                name: "Set up",
                subcommands: [MigrateCommand.self, SchemaCommand.self, DevCommand.self, QueueCommand.self]),
            CommandGroup(name: "Run", subcommands: [SuperviseCommand.self]),
            CommandGroup(
                name: "Look",
                subcommands: [
                    TasksCommand.self, TaskCommand.self, WorkersCommand.self, DoctorCommand.self,
                    VersionCommand.self,
                ]),
            CommandGroup(
                name: "Act",
                subcommands: [
                    SpawnCommand.self, EmitCommand.self, CancelCommand.self, RetryCommand.self,
                    CleanupCommand.self,
                ]),
            CommandGroup(name: "Measure", subcommands: [BenchCommand.self]),
        ]
    )

    static func main() async {
        let command: any ParsableCommand
        do {
            command = try await asyncParseAsRoot()
        } catch {
            ProgramEnd(error).exit()
        }
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch {
            ProgramEnd(error).exit()
        }
    }
}
