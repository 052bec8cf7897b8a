import Absurd
import ArgumentParser

struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the workers that are registered.",
        discussion: """
            Workers of this library register while they run. Those of other SDKs do not, and neither do programs that \
            claim by hand.
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("Only of this queue.", valueName: "name"))
    var queue: String?

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let workers = try await database.withClient { try await $0.workers(on: queue) }
        guard !output.json else {
            let list = JSONOutput.array(workers.map { .object($0.jsonMembers) })
            return try show(JSONOutput.object([("workers", list)]).text)
        }
        guard !workers.isEmpty else { return say("No worker is registered.") }
        var table = TextTable(
            "WORKER", "QUEUE", "HOST", "PROCESS", "VERSION", "STATE", "RUNS", "RESTARTS", "SINCE", "LAST SEEN"
        )
        for worker in workers {
            table.add(
                worker.id, worker.queue, worker.host, String(worker.processID), worker.version,
                worker.state.rawValue, "\(worker.running)/\(worker.slots)", String(worker.restarts),
                worker.registeredAt.shortText, worker.lastSeenAt.shortText)
        }
        try show(table.text)
    }
}

extension RegisteredWorker {
    fileprivate var jsonMembers: [(String, JSONOutput)] {
        [
            ("worker_id", .string(id)),
            ("queue", .string(queue)),
            ("process", .string(process)),
            ("host", .string(host)),
            ("process_id", .integer(processID)),
            ("version", .string(version)),
            ("state", .string(state.rawValue)),
            ("slots", .integer(slots)),
            ("running", .integer(running)),
            ("restarts", .integer(restarts)),
            ("registered_at", .string(registeredAt.machineText)),
            ("last_seen_at", .string(lastSeenAt.machineText)),
        ]
    }
}
