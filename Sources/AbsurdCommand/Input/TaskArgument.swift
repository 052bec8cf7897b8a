import Absurd
import ArgumentParser
import Foundation

/// The task that a command works on, by its id or that of one of its runs.
struct TaskArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The id of the task, or of one of its runs.", valueName: "id"),
        transform: Self.identifier)
    var id: UUID

    @OptionGroup var queue: OptionalQueueOption

    static func identifier(_ text: String) throws -> UUID {
        guard let id = UUID(uuidString: text) else {
            throw ValidationError(
                "an id looks like 019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d; 'absurd tasks' lists them")
        }
        return id
    }

    /// Finds the task.
    ///
    /// - Throws: ``AbsurdError`` with the code `taskMissing`.
    func locate(_ client: AbsurdClient) async throws -> TaskLocation {
        guard let location = try await client.locateTask(id, on: queue.queue) else {
            throw missing
        }
        return location
    }

    var missing: AbsurdError {
        let finding = queue.queue.map { "queue '\($0.printable)' has no task" } ?? "no queue has a task"
        return AbsurdError(.taskMissing, "\(finding) \(TaskID(id)); list the tasks with 'absurd tasks'")
    }
}
