import Absurd
import ArgumentParser

struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Attempt a failed task again.",
        discussion: """
            In place, by default: the task gets one more attempt and keeps its recorded steps. As new: another task \
            with the same parameters starts from the beginning, and the failed one stays.
            """)

    @OptionGroup var task: TaskArgument

    @Flag(name: .long, help: "Spawn another task instead.")
    var asNew = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The new limit, above the attempts made so far; with --as-new that of the new task.",
            valueName: "number"),
        transform: SpawnInput.attempts)
    var maxAttempts: Int?

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let handle = try await database.withClient { client in
            let location = try await task.locate(client)
            return asNew
                ? try await client.retryTaskAsNew(
                    location.taskID, on: location.queue, maxAttempts: maxAttempts)
                : try await client.retryTask(location.taskID, on: location.queue, maxAttempts: maxAttempts)
        }
        guard !output.json else { return try show(handle.json.text) }
        let place = "queue '\(handle.queue.printable)'"
        try show(
            asNew
                ? "task \(handle.taskID) spawned in \(place)"
                : "task \(handle.taskID) of \(place) is due for attempt \(handle.attempt)")
    }
}
