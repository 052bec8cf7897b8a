import Absurd
import ArgumentParser

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel a task, unless it has ended.",
        discussion:
            "A handler that is executing learns of it at its next step, or within a third of its claim.")

    @OptionGroup var task: TaskArgument
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (location, state) = try await database.withClient { client in
            let location = try await task.locate(client)
            return (location, try await client.cancelTask(location.taskID, on: location.queue))
        }
        guard !output.json else {
            return try show(
                JSONOutput.object([
                    ("task_id", .string(location.taskID.description)),
                    ("queue", .string(location.queue)),
                    ("state", .string(state.rawValue)),
                ]).text)
        }
        try show(
            state == .cancelled
                ? "task \(location.taskID) is cancelled"
                : "task \(location.taskID) had ended before: it is \(state.rawValue)")
    }
}
