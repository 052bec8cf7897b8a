import Absurd
import ArgumentParser

struct QueueCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a queue, unless it is there already.")

    @Argument(help: ArgumentHelp("Its name: 1 to 57 bytes of UTF-8, case-sensitive.", valueName: "name"))
    var name: String

    @Option(name: .long, help: "How its tables are laid out, which cannot be changed later.")
    var storage: StorageMode = .unpartitioned

    @OptionGroup(title: "Policy") var policy: PolicyOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (wasThere, stored) = try await database.withClient { client in
            let before = try await client.queuePolicy(name)
            try await client.createQueue(name, storage: storage, policy: policy.change)
            return (before != nil, try await client.existingPolicy(name))
        }
        guard !output.json else {
            return try show(JSONOutput.object([("created", .bool(!wasThere))] + stored.jsonMembers).text)
        }
        try show("queue '\(name.printable)' \(wasThere ? "was there already" : "created")")
    }
}

extension AbsurdClient {
    func existingPolicy(_ name: String) async throws -> QueuePolicy {
        guard let policy = try await queuePolicy(name) else { throw AbsurdError.queueMissing(name) }
        return policy
    }
}
