import Absurd
import ArgumentParser

struct QueuePolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Show the settings of a queue, after changing those that are given.")

    @Argument(help: ArgumentHelp("The queue.", valueName: "name"))
    var name: String

    @OptionGroup(title: "Settings") var policy: PolicyOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let stored = try await database.withClient { client in
            if let change = policy.change { try await client.setQueuePolicy(name, change) }
            return try await client.existingPolicy(name)
        }
        try show(output.json ? JSONOutput.object(stored.jsonMembers).text : stored.text)
    }
}

extension QueuePolicy {
    private var settings: [(name: String, value: String)] {
        [
            ("storage_mode", storageMode.rawValue),
            ("default_partition", defaultPartition.rawValue),
            ("partition_lookahead", partitionLookahead),
            ("partition_lookback", partitionLookback),
            ("cleanup_ttl", cleanupTTL),
            ("cleanup_limit", String(cleanupLimit)),
            ("detach_mode", detachMode.rawValue),
            ("detach_min_age", detachMinAge),
        ]
    }

    var jsonMembers: [(String, JSONOutput)] {
        [("queue", .string(queue))]
            + settings.map { name, value in
                (name, name == "cleanup_limit" ? .integer(cleanupLimit) : .string(value))
            }
    }

    /// The settings under the names of their options.
    var text: String {
        var table = TextTable("queue", queue.printable)
        for (name, value) in settings { table.add(name.split(separator: "_").joined(separator: "-"), value) }
        return table.text
    }
}
