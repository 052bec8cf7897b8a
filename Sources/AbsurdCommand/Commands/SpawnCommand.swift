import Absurd
import ArgumentParser

struct SpawnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spawn",
        abstract: "Spawn a task.",
        discussion: """
            The parameters are one JSON document, for example:

              absurd spawn process_order '{"id": "17", "amount": 4200}' --queue orders
            """)

    @Argument(help: ArgumentHelp("The name of the task, as its handler has it.", valueName: "name"))
    var name: String

    @Argument(help: ArgumentHelp("The parameters as JSON, or '-' for standard input.", valueName: "json"))
    var document: String?

    @Option(name: .long, help: ArgumentHelp("The parameters, as the argument.", valueName: "json"))
    var params: String?

    @OptionGroup var queue: QueueOption
    @OptionGroup(title: "The task's options") var input: SpawnInput
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard document == nil || params == nil else {
            throw ValidationError("The parameters are given twice: as an argument and with --params.")
        }
    }

    func run() async throws {
        let params =
            try (document ?? params).map { try JSONInput.document($0, named: "the parameters") } ?? .null
        let request = SpawnRequest(
            taskName: name, queue: queue.queue, params: params, options: try input.options())
        let task: TaskHandle<JSONValue> = try await database.withClient { client in
            try await client.spawn(request, output: .codable)
        }
        try show(output.json ? task.json.text : task.text)
    }
}

extension TaskHandle<JSONValue> {
    var json: JSONOutput {
        .object([
            ("task_id", .string(taskID.description)),
            ("run_id", .string(runID.description)),
            ("queue", .string(queue)),
            ("attempt", .integer(attempt)),
            ("created", .bool(wasCreated)),
        ])
    }

    fileprivate var text: String {
        let place = "queue '\(queue.printable)'"
        return wasCreated
            ? "task \(taskID) spawned in \(place)"
            : "task \(taskID) was there already in \(place), with the same idempotency key"
    }
}
