import Absurd
import ArgumentParser

struct CleanupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract:
            "Delete ended tasks and events that are older than the queue's policy, or a given age, allows.",
        discussion:
            "Deletes in batches until nothing is left to delete; safe to interrupt, and while workers run.")

    @Argument(help: ArgumentHelp("The queue.", valueName: "queue"))
    var queue: String?

    @Option(
        name: [.customShort("q"), .customLong("queue")],
        help: ArgumentHelp("The queue, as the argument.", valueName: "name"))
    var queueOption: String?

    @Flag(name: .long, help: "All queues.")
    var all = false

    @Option(
        name: .long,
        help: ArgumentHelp("Delete what ended longer ago than this, such as 7d.", valueName: "duration"),
        transform: Duration.init(argument:))
    var olderThan: Duration?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "With --older-than, how many to delete at once; else the queue's policy says.",
            valueName: "number"))
    var batch = 1000

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard queue == nil || queueOption == nil else {
            throw ValidationError("The queue is given twice: as an argument and with --queue.")
        }
        guard ((queue ?? queueOption) != nil) != all else {
            throw ValidationError("Give either the name of a queue or --all.")
        }
        guard (1...1_000_000).contains(batch) else {
            throw ValidationError("--batch must be from 1 to 1000000, and is \(batch).")
        }
    }

    func run() async throws {
        let reports = try await database.withClient { client in
            let names = if let queue = queue ?? queueOption { [queue] } else { try await client.queues() }
            var reports: [CleanupReport] = []
            for name in names { reports.append(try await clean(name, with: client)) }
            return reports
        }
        guard !output.json else {
            return try show(JSONOutput.object([("queues", .array(reports.map(\.json)))]).text)
        }
        guard !reports.isEmpty else { return say("There is no queue yet.") }
        try show(reports.map(\.text).joined(separator: "\n"))
    }

    /// Batch after batch, each in a transaction of its own, so that nobody waits long for one.
    private func clean(_ queue: String, with client: AbsurdClient) async throws -> CleanupReport {
        var tasks = 0
        var events = 0
        while true {
            let reports =
                if let olderThan {
                    [try await client.cleanUp(queue, olderThan: olderThan, limit: batch)]
                } else {
                    try await client.cleanUp(queue)
                }
            tasks += reports.reduce(0) { $0 + $1.tasks }
            events += reports.reduce(0) { $0 + $1.events }
            guard reports.contains(where: { $0.tasks > 0 || $0.events > 0 }) else {
                return CleanupReport(queue: queue, tasks: tasks, events: events)
            }
        }
    }
}

extension CleanupReport {
    fileprivate var json: JSONOutput {
        .object([("queue", .string(queue)), ("tasks", .integer(tasks)), ("events", .integer(events))])
    }

    fileprivate var text: String { "queue '\(queue.printable)': \(tasks) tasks and \(events) events deleted" }
}
