import Absurd
import ArgumentParser
import Foundation

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "List tasks, newest first.")

    @Option(name: [.short, .long], help: ArgumentHelp("Only of this queue.", valueName: "name"))
    var queue: String?

    @Option(name: [.short, .long], help: ArgumentHelp("Only with this name.", valueName: "name"))
    var name: String?

    @Option(name: [.short, .long], help: "Only in this state. Can be repeated.")
    var state: [TaskState] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Only spawned since then: how long ago, such as 2h, or a date.", valueName: "time"),
        transform: TimeInput.init(argument:))
    var since: TimeInput?

    @Option(
        name: .long, help: ArgumentHelp("Only older than this task: the next page.", valueName: "id"),
        transform: TaskArgument.identifier)
    var before: UUID?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("How many at most, from 1 to \(TaskFilter.longestPage).", valueName: "number"))
    var limit = 50

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...TaskFilter.longestPage).contains(limit) else {
            throw ValidationError("--limit must be from 1 to \(TaskFilter.longestPage), and is \(limit).")
        }
    }

    func run() async throws {
        let tasks = try await database.withClient { try await $0.tasks(matching: filter) }
        guard !output.json else {
            let list = JSONOutput.array(tasks.map { .object($0.jsonMembers) })
            return try show(JSONOutput.object([("tasks", list)]).text)
        }
        guard let last = tasks.last else { return say("No task matches.") }
        var table = TextTable("TASK", "QUEUE", "NAME", "STATE", "ATTEMPT", "SPAWNED", "")
        for task in tasks {
            table.add(
                task.taskID.description, task.queue, task.taskName.shortened(to: 40), task.state.rawValue,
                task.attemptText, task.spawnedAt.shortText, task.remark)
        }
        try show(table.text)
        if tasks.count == limit { say("There may be more: --before \(last.taskID)") }
    }

    private var filter: TaskFilter {
        var filter = TaskFilter(queue: queue, taskName: name, states: Set(state))
        switch since {
        case .ago(let duration)?: filter.spawnedWithin = duration
        case .at(let date)?: filter.spawnedSince = date
        case nil: break
        }
        filter.before = before.map { TaskID($0) }
        filter.limit = limit
        return filter
    }
}
