import Absurd
import ArgumentParser

struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task",
        abstract: "Show one task: its attempts, its steps, what it waits for and why it failed.")

    @OptionGroup var task: TaskArgument
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var limits = TaskDetailLimits()
        if output.json { limits.documentLength = nil }
        let detail = try await database.withClient { client in
            let location = try await task.locate(client)
            return try await client.taskDetail(location.taskID, on: location.queue, limits: limits)
        }
        guard let detail else { throw task.missing }
        try show(output.json ? detail.json.text : detail.text)
    }
}
