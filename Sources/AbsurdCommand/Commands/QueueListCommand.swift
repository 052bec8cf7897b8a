import Absurd
import ArgumentParser

struct QueueListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the queues.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let queues = try await database.withClient { try await $0.queuePolicies() }
        guard !output.json else {
            let list = JSONOutput.array(queues.map { .object($0.jsonMembers) })
            return try show(JSONOutput.object([("queues", list)]).text)
        }
        guard !queues.isEmpty else {
            return say("There is no queue yet; create one with 'absurd queue create NAME'.")
        }
        var table = TextTable("QUEUE", "STORAGE", "KEEPS ENDED TASKS")
        for queue in queues { table.add(queue.queue, queue.storageMode.rawValue, queue.cleanupTTL) }
        try show(table.text)
    }
}
