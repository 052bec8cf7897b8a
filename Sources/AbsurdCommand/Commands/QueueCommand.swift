import ArgumentParser

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Create, list, drop and configure queues.",
        subcommands: [
            QueueCreateCommand.self, QueueListCommand.self, QueueDropCommand.self, QueuePolicyCommand.self,
        ])
}
