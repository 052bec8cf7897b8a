import Absurd
import ArgumentParser

struct QueueDropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Drop a queue with all its tasks and events.",
        discussion: "Asks first. Where nobody is there to ask, --yes is needed.")

    @Argument(help: ArgumentHelp("The queue.", valueName: "name"))
    var name: String

    @Flag(name: [.short, .long], help: "Do not ask.")
    var yes = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await database.withClient { client in
            _ = try await client.existingPolicy(name)
            guard try yes || confirm("Drop queue '\(name.printable)' with all its tasks and events?") else {
                say("Nothing was dropped.")
                throw ExitCode.failure
            }
            try await client.dropQueue(name)
        }
        try show(
            output.json
                ? JSONOutput.object([("queue", .string(name)), ("dropped", .bool(true))]).text
                : "queue '\(name.printable)' dropped")
    }
}
