import Absurd
import ArgumentParser

struct EmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emit",
        abstract: "Emit an event, which wakes the tasks that wait for it.",
        discussion: """
            The first emission of a name counts, for tasks that ask later too; further ones change nothing.
            """)

    @Argument(help: ArgumentHelp("The name of the event.", valueName: "event"))
    var event: String

    @Argument(help: ArgumentHelp("The payload as JSON, or '-' for standard input.", valueName: "json"))
    var document: String?

    @Option(name: .long, help: ArgumentHelp("The payload, as the argument.", valueName: "json"))
    var payload: String?

    @OptionGroup var queue: QueueOption
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard document == nil || payload == nil else {
            throw ValidationError("The payload is given twice: as an argument and with --payload.")
        }
    }

    func run() async throws {
        let payload =
            try (document ?? payload).map { try JSONInput.document($0, named: "the payload") } ?? .null
        let answer = try await database.withClient {
            try await $0.emitEvent(event, payload: payload, on: queue.queue)
        }
        try show(
            output.json
                ? JSONOutput.object([
                    ("event", .string(event)), ("queue", .string(queue.queue)),
                    ("emitted", .bool(isFirst(answer))),
                ]).text
                : text(answer))
    }

    private func isFirst(_ answer: EmitAnswer) -> Bool { if case .known = answer { false } else { true } }

    private func text(_ answer: EmitAnswer) -> String {
        let (name, place) = ("event '\(event.printable)'", "queue '\(queue.queue.printable)'")
        return switch answer {
        case .known: "\(name) was emitted before in \(place); nothing changed"
        case .emitted, .refused: "\(name) emitted in \(place)"
        }
    }
}
